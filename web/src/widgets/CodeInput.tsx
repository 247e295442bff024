import { closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput } from '@codemirror/language';
import { Compartment, EditorState, type Extension, Prec } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers, placeholder as showPlaceholder } from '@codemirror/view';
import { useEffect, useEffectEvent, useRef } from 'react';
import classes from './CodeInput.module.css';
import { codeTheme } from './codeTheme';

interface Props {
  readonly value: string;
  readonly onChange?: ((value: string) => void) | undefined;
  readonly onFocus?: ((view: EditorView) => void) | undefined;
  readonly onBlur?: (() => void) | undefined;
  /** What screen readers call it. */
  readonly label: string;
  readonly describedBy?: string | undefined;
  /** A language, completion, …; keep the same array while it means the same. */
  readonly extensions?: Extension | undefined;
  readonly placeholder?: string | undefined;
  readonly readOnly?: boolean;
  readonly invalid?: boolean;
  /** One line high at first; Tab leaves the field. */
  readonly small?: boolean;
  readonly lineNumbers?: boolean;
  /** As high as what it stands in. */
  readonly fill?: boolean;
  readonly minLines?: number;
  readonly maxHeight?: string;
  readonly autoFocus?: boolean;
}

const NONE: Extension = [];

// The browser keeps the looks of text that is typed over by a style attribute, which the security policy forbids.
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to } = view.state.selection.main;
    const text = event.data;
    if (event.inputType !== 'insertText' || from === to || !text || event.isComposing || view.state.readOnly)
      return false;
    const insert = () =>
      view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
    const handled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert));
    if (!handled) view.dispatch(insert());
    event.preventDefault();
    return true;
  },
});

/** A text editor for code: CodeMirror with the designer's look. What is typed is told at once. */
export function CodeInput(props: Props) {
  const { value, label, describedBy, extensions = NONE, readOnly = false, small = false } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const language = useRef(new Compartment());
  const frozen = useRef(new Compartment());
  const changed = useEffectEvent((text: string) => props.onChange?.(text));
  const focused = useEffectEvent((editor: EditorView) => props.onFocus?.(editor));
  const blurred = useEffectEvent(() => props.onBlur?.());
  const begin = useEffectEvent((parent: HTMLElement) => {
    const height = small || props.fill ? {} : { minHeight: `${(props.minLines ?? 5) * 1.5 + 1}em` };
    const editor = new EditorView({
      parent,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          drawSelection(),
          bracketMatching(),
          closeBrackets(),
          indentOnInput(),
          EditorView.lineWrapping,
          typedOver,
          props.lineNumbers ? lineNumbers() : NONE,
          props.placeholder ? showPlaceholder(props.placeholder) : NONE,
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
          small ? NONE : keymap.of([indentWithTab]),
          // In a page that is used by keyboard, Escape frees the focus that Tab would not.
          Prec.lowest(
            keymap.of([
              {
                key: 'Escape',
                run: (at) => {
                  at.contentDOM.blur();
                  at.dom.closest<HTMLElement>('[data-field]')?.focus();
                  return true;
                },
              },
            ]),
          ),
          EditorView.contentAttributes.of({
            'aria-label': label,
            ...(describedBy ? { 'aria-describedby': describedBy } : {}),
            // The dialog around it shall not close by the Escape that is meant for the editor.
            'data-mantine-stop-propagation': 'true',
          }),
          EditorView.theme({
            '.cm-scroller': {
              maxHeight: props.fill ? 'none' : (props.maxHeight ?? (small ? '8em' : '24em')),
              overflow: 'auto',
            },
            '.cm-content': height,
            ...(props.fill ? { '&': { height: '100%' } } : {}),
          }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && update.transactions.some((one) => one.isUserEvent('outside') === false)) {
              changed(update.state.doc.toString());
            }
            if (update.focusChanged) {
              if (update.view.hasFocus) focused(update.view);
              else blurred();
            }
          }),
          codeTheme,
          language.current.of(extensions),
          frozen.current.of(EditorState.readOnly.of(readOnly)),
        ],
      }),
    });
    if (props.autoFocus) editor.focus();
    return editor;
  });

  useEffect(() => {
    if (!host.current) return;
    const editor = begin(host.current);
    view.current = editor;
    return () => {
      view.current = null;
      editor.destroy();
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(extensions) });
  }, [extensions]);

  useEffect(() => {
    view.current?.dispatch({ effects: frozen.current.reconfigure(EditorState.readOnly.of(readOnly)) });
  }, [readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({
      changes: { from: 0, to: editor.state.doc.length, insert: value },
      userEvent: 'outside',
    });
  }, [value]);

  return (
    <div
      ref={host}
      className={`${classes.box} ${props.fill ? classes.fill : ''}`}
      data-invalid={props.invalid || undefined}
      data-readonly={readOnly || undefined}
    />
  );
}
