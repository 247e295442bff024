import { expect, it } from 'vitest';
import { ownerOf, parseStep, pictureOf, placeOf, shapeOf } from './steps';

it('takes a step’s name apart', () => {
  expect(parseStep('code()/each[2]/check@1.3')).toEqual({ frame: 'code()/each[2]', node: 'check', scope: '1.3' });
  expect(parseStep('fetch')).toEqual({ frame: '', node: 'fetch', scope: '' });
  expect(placeOf('code()/each[2]/check@1.3')).toBe('[2] #1.3');
});

it('knows whose frame it is', () => {
  expect(ownerOf('')).toBeNull();
  expect(ownerOf('code()')).toBe('code');
  expect(ownerOf('code()/each@2[10]')).toBe('code()/each@2');
});

it('draws the steps of a body in the graph that has it, and those of a call in the called one', () => {
  const known = ['', 'code()', 'each@1[4]/call()'];
  expect(pictureOf('', known)).toBe('');
  expect(pictureOf(shapeOf('loop[1]'), known)).toBe('');
  expect(pictureOf(shapeOf('code()/each[2]'), known)).toBe('code()');
  expect(pictureOf(shapeOf('each@7[0]/call()'), known)).toBe('each@1[4]/call()');
  expect(pictureOf('coder()', known)).toBe('');
});
