import type { EditorView } from '@codemirror/view';
import { ActionIcon, Tooltip } from '@mantine/core';
import { IconArrowsDiagonal } from '@tabler/icons-react';
import { useMemo, useRef, useState } from 'react';
import { hasTemplate } from '@/graph/templates';
import { words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { usePanel } from '../context';
import { useTyped } from '../form/useParameter';
import { ExpressionDialog } from './ExpressionDialog';
import classes from './expression.module.css';
import { useExpressionExtensions } from './extensions';
import { insertCode } from './insert';
import { Result, usePreview } from './preview';

interface Props {
  readonly value: string;
  readonly label: string;
  readonly describedBy?: string;
  readonly invalid?: boolean;
  readonly autoFocus?: boolean;
  readonly onChange: (text: string, merge: string) => void;
  readonly onLeave?: () => void;
}

/** A template in the form: one line or a few, with what it gives for an item under it. */
export function ExpressionField(props: Props) {
  const { value, label, onChange } = props;
  const { target } = usePanel();
  const typed = useTyped(value, onChange);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(false);
  const view = useRef<EditorView | null>(null);
  const preview = usePreview(typed.text);
  const extensions = useExpressionExtensions(preview.error);
  const begin = useMemo(
    () => (typed.text === '' && props.autoFocus ? '{{  }}' : typed.text),
    [typed.text, props.autoFocus],
  );
  return (
    <div className={classes.field}>
      <div className={classes.editor}>
        <CodeInput
          small
          value={begin}
          label={label}
          describedBy={props.describedBy}
          invalid={props.invalid || (preview.error !== null && !preview.error.missing)}
          autoFocus={props.autoFocus ?? false}
          extensions={extensions}
          placeholder="{{ $json.field }}"
          onChange={typed.type}
          onFocus={(editor) => {
            view.current = editor;
            setActive(true);
            target.current = { label, insert: (code) => insertCode(editor, code) };
            if (editor.state.doc.toString() === '{{  }}') editor.dispatch({ selection: { anchor: 3 } });
          }}
          onBlur={() => {
            setActive(false);
            typed.leave();
            props.onLeave?.();
          }}
        />
        <Tooltip label={words.panel.openEditor}>
          <ActionIcon
            size="sm"
            variant="subtle"
            color="gray"
            className={classes.grow}
            aria-label={`${words.panel.openEditor}: ${label}`}
            onClick={() => setOpen(true)}
          >
            <IconArrowsDiagonal size={14} />
          </ActionIcon>
        </Tooltip>
      </div>
      <Result preview={preview} active={active} expected={hasTemplate(typed.text)} />
      {open && (
        <ExpressionDialog
          label={label}
          value={typed.text}
          onClose={() => {
            typed.leave();
            setOpen(false);
          }}
          onChange={typed.type}
        />
      )}
    </div>
  );
}
