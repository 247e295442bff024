import { ActionIcon, Button, Group, Modal, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { useState } from 'react';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { usePanel } from '../context';
import classes from './expression.module.css';
import { useExpressionExtensions } from './extensions';
import { Shown, usePreview } from './preview';

interface Props {
  readonly label: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly onClose: () => void;
}

/** A template in a large editor, with what it gives beside it. */
export function ExpressionDialog({ label, value, onChange, onClose }: Props) {
  const { sample, setSample } = usePanel();
  const [text, setText] = useState(value);
  const preview = usePreview(text);
  const extensions = useExpressionExtensions(preview.error);
  const last = Math.max(0, preview.items - 1);
  return (
    <Modal opened onClose={onClose} title={fill(words.panel.editorTitle, { field: label })} size="min(1100px, 96vw)">
      <div className={classes.dialog}>
        <div className={classes.half}>
          <Text size="sm" fw={500}>
            {words.panel.expression}
          </Text>
          <CodeInput
            fill
            autoFocus
            value={text}
            label={label}
            extensions={extensions}
            invalid={preview.error !== null && !preview.error.missing}
            onChange={(fresh) => {
              setText(fresh);
              onChange(fresh);
            }}
          />
        </div>
        <div className={classes.half}>
          <Group justify="space-between">
            <Text size="sm" fw={500}>
              {fill(words.panel.resultOf, { item: sample.item })}
            </Text>
            <Group gap={4}>
              <ActionIcon
                variant="default"
                size="sm"
                disabled={sample.item <= 0}
                aria-label={words.panel.previousItem}
                onClick={() => setSample({ item: sample.item - 1 })}
              >
                <IconChevronLeft size={14} />
              </ActionIcon>
              <ActionIcon
                variant="default"
                size="sm"
                disabled={sample.item >= last}
                aria-label={words.panel.nextItem}
                onClick={() => setSample({ item: sample.item + 1 })}
              >
                <IconChevronRight size={14} />
              </ActionIcon>
            </Group>
          </Group>
          <div className={`${classes.result} ${classes.full}`} role="status">
            <Shown preview={preview} />
          </div>
        </div>
      </div>
      <Group justify="flex-end" mt="md">
        <Button onClick={onClose}>{words.panel.done}</Button>
      </Group>
    </Modal>
  );
}
