import { Button, Group, Modal, Select, Text } from '@mantine/core';
import { useState } from 'react';
import { useEditor } from '@/editor/store';
import type { Json } from '@/graph/model';
import { labelOf } from '@/graph/model';
import type { Items } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { useLanguage } from '@/widgets/languages';
import { usePanel } from '../context';
import { readJson } from '../form/JsonControl';
import { isSchema } from '../form/kinds';

/** Items that are about to be pinned. */
export interface Draft {
  readonly port: string;
  readonly items: Items;
  /** How many there are, of which these are the first. */
  readonly all: number;
  /** The items had files, which a pin does not hold. */
  readonly files?: boolean;
}

interface Props {
  readonly draft: Draft;
  readonly ports: readonly string[];
  readonly onPin: (port: string, items: Items) => void;
  readonly onClose: () => void;
}

/** Items to pin, as JSON. */
export function PinDialog({ draft, ports, onPin, onClose }: Props) {
  const { editor, node } = usePanel();
  const name = useEditor(editor, (state) => {
    const found = nodeOf(state.history.graph, node);
    return found ? labelOf(found) : node;
  });
  const [port, setPort] = useState(draft.port);
  const [text, setText] = useState(() => JSON.stringify(draft.items, null, 2));
  const language = useLanguage('json');
  const { items, error } = readItems(text);
  return (
    <Modal opened onClose={onClose} title={fill(words.panel.pinTitle, { node: name, port })} size="xl">
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <Text size="sm" c="dimmed">
          {words.panel.pinHelp}
        </Text>
        {ports.length > 1 && (
          <Select
            size="xs"
            aria-label={words.panel.port}
            data={[...new Set([...ports, draft.port])]}
            value={port}
            allowDeselect={false}
            onChange={(chosen) => setPort(chosen ?? port)}
          />
        )}
      </Group>
      <CodeInput
        autoFocus
        value={text}
        onChange={setText}
        label={words.panel.pinHelp}
        extensions={language}
        invalid={error !== ''}
        minLines={14}
        maxHeight="55vh"
        lineNumbers
      />
      <Text size="sm" c="var(--mantine-color-error)" role="status" mih={22}>
        {error}
      </Text>
      {draft.all > draft.items.length && (
        <Text size="sm" c="dimmed">
          {fill(words.panel.pinTruncated, { count: draft.items.length, all: draft.all })}
        </Text>
      )}
      {draft.files && (
        <Text size="sm" c="dimmed">
          {words.panel.pinFiles}
        </Text>
      )}
      <Group justify="flex-end" mt="sm">
        <Button variant="default" onClick={onClose}>
          {words.panel.cancel}
        </Button>
        <Button disabled={!items} onClick={() => items && onPin(port, items)}>
          {words.panel.pinSave}
        </Button>
      </Group>
    </Modal>
  );
}

/** A list of objects from what was typed, or what is wrong with it. */
export function readItems(text: string): { items: Items | null; error: string } {
  const { value, error } = readJson(text);
  if (error) return { items: null, error: fill(words.panel.badJson, { message: error }) };
  if (!Array.isArray(value) || !(value as readonly Json[]).every((one) => isSchema(one))) {
    return { items: null, error: words.panel.pinNotList };
  }
  return { items: value as unknown as Items, error: '' };
}
