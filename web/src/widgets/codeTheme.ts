/** How code looks in the designer, light and dark: Mantine's colours on CodeMirror's tags. */

import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { styleNonce } from './nonce';

const look = EditorView.theme({
  '&': { color: 'var(--mantine-color-text)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--mantine-color-text)', padding: '6px 0' },
  '.cm-line': { padding: '0 10px' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--mantine-primary-color-light) !important',
  },
  '.cm-gutters': {
    backgroundColor: 'transparent',
    color: 'var(--mantine-color-dimmed)',
    border: 'none',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '.cm-placeholder': { color: 'var(--mantine-color-placeholder)' },
  '.cm-template': {
    backgroundColor: 'light-dark(var(--mantine-color-teal-0), rgba(32, 201, 151, 0.12))',
    borderRadius: '3px',
  },
  '.cm-template-open': { backgroundColor: 'light-dark(var(--mantine-color-red-0), rgba(255, 107, 107, 0.15))' },
  '.cm-tooltip': {
    backgroundColor: 'var(--mantine-color-body)',
    border: '1px solid var(--mantine-color-default-border)',
    borderRadius: 'var(--mantine-radius-sm)',
    boxShadow: 'var(--mantine-shadow-md)',
    color: 'var(--mantine-color-text)',
    zIndex: '400',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': {
    backgroundColor: 'var(--mantine-primary-color-light)',
    color: 'var(--mantine-color-text)',
  },
  '.cm-completionDetail': { color: 'var(--mantine-color-dimmed)', fontStyle: 'normal' },
  '.cm-completionInfo': { padding: '6px 10px', maxWidth: '320px' },
});

const colors = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: 'light-dark(#7048c6, #b197fc)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'light-dark(#217a38, #8ce99a)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'light-dark(#a64c00, #ffc078)' },
  { tag: [tags.propertyName], color: 'light-dark(#1862ab, #74c0fc)' },
  { tag: [tags.special(tags.variableName), tags.function(tags.variableName)], color: 'light-dark(#08707f, #66d9e8)' },
  { tag: [tags.comment, tags.meta], color: 'var(--mantine-color-dimmed)' },
  { tag: [tags.brace, tags.processingInstruction], color: 'light-dark(#087f5b, #63e6be)' },
  { tag: tags.invalid, color: 'var(--mantine-color-error)' },
]);

/** For every CodeMirror of the designer; with the nonce by which the security policy lets it add its styles. */
export const codeTheme: Extension = [EditorView.cspNonce.of(styleNonce), look, syntaxHighlighting(colors)];
