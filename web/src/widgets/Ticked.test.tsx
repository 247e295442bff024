import { renderToStaticMarkup } from 'react-dom/server';
import { expect, it } from 'vitest';
import { Ticked } from './Ticked';

it('sets what stands between backticks as code, and leaves a single one as it is', () => {
  expect(renderToStaticMarkup(<Ticked>Did you mean `Set fields`?</Ticked>)).toBe(
    'Did you mean <code>Set fields</code>?',
  );
  expect(renderToStaticMarkup(<Ticked>an unpaired ` here</Ticked>)).toBe('an unpaired ` here');
  expect(renderToStaticMarkup(<Ticked>plain</Ticked>)).toBe('plain');
});
