import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { freshId, idFrom } from '@/graph/identity';
import { words } from '@/text/language';
import { ErrorMessage } from './ErrorMessage';

interface Props {
  readonly title: string;
  /** What the button says; left out: the title. */
  readonly action?: string;
  /** Stands above the fields. */
  readonly children?: ReactNode;
  readonly name: string;
  readonly taken: ReadonlySet<string>;
  readonly error: Error | null;
  readonly busy: boolean;
  readonly onCreate: (id: string, name: string) => void;
  readonly onClose: () => void;
}

/** Asks for a new graph's name, and for its id, which follows the name until it is changed. */
export function NewGraphDialog(props: Props) {
  const { title, action = title, children, name: first, taken, error, busy, onCreate, onClose } = props;
  const [name, setName] = useState(first);
  const [ownId, setOwnId] = useState<string | null>(null);
  const id = ownId ?? freshId(idFrom(name), (one) => taken.has(one));
  const wrong = !/^[a-z][a-z0-9_]*$/.test(id) ? words.home.idHint : taken.has(id) ? words.home.idTaken : null;
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!wrong) onCreate(id, name.trim());
        }}
      >
        <Stack>
          {children}
          <TextInput
            data-autofocus
            label={words.home.name}
            value={name}
            onFocus={(event) => event.currentTarget.select()}
            onChange={(event) => setName(event.target.value)}
          />
          <TextInput
            label={words.home.id}
            description={words.home.idHint}
            value={id}
            error={wrong}
            onChange={(event) => setOwnId(event.target.value)}
          />
          {error && <ErrorMessage title={words.home.failed} error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {words.home.cancel}
            </Button>
            <Button type="submit" loading={busy} disabled={wrong !== null}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
