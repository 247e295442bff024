import { Button, Checkbox, Group, JsonInput, Modal, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useMemo, useState } from 'react';
import { ApiError } from '@/api/client';
import { givenBy, MOST, readStep } from '@/api/runData';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { forkRun } from './requests';

type Once = 'ask' | 'repeat' | 'reuse';

/** Run again from a step, with what the step gives edited where that is wanted. */
export default function ForkDialog({
  run,
  graph,
  step,
  label,
  onClose,
  onForked,
}: {
  readonly run: string;
  readonly graph: string;
  readonly step: string;
  readonly label: string;
  readonly onClose: () => void;
  readonly onForked: (run: string) => void;
}) {
  const [edit, setEdit] = useState(false);
  const [items, setItems] = useState<string | null>(null);
  const [current, setCurrent] = useState(false);
  const [once, setOnce] = useState<Once>('ask');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const given = useQuery({
    queryKey: ['given', run, step],
    queryFn: async ({ signal }) => givenBy(await readStep(run, step, 0, MOST, signal)),
    enabled: edit,
  });
  const before = useMemo(() => (given.data ? JSON.stringify(given.data.ports, null, 2) : ''), [given.data]);
  const text = items ?? before;

  async function submit(event: FormEvent) {
    event.preventDefault();
    let value: unknown;
    if (edit) {
      try {
        value = JSON.parse(text);
      } catch {
        return;
      }
    }
    setBusy(true);
    setError(null);
    try {
      const made = await forkRun(run, { step, once, ...(current ? { graph } : {}), ...(edit ? { items: value } : {}) });
      onClose();
      onForked(made.id);
    } catch (wrong) {
      if (!(wrong instanceof ApiError)) throw wrong;
      setError(wrong);
      setBusy(false);
    }
  }

  return (
    <Modal opened onClose={onClose} title={fill(words.runs.fork.title, { step: label })} size="lg">
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="md">
          <Text size="sm">{words.runs.fork.about}</Text>
          <Checkbox
            label={words.runs.fork.current}
            description={words.runs.fork.currentAbout}
            checked={current}
            onChange={(event) => setCurrent(event.currentTarget.checked)}
          />
          <Checkbox
            label={words.runs.fork.edit}
            checked={edit}
            onChange={(event) => setEdit(event.currentTarget.checked)}
          />
          {edit && (
            <JsonInput
              label={words.runs.fork.items}
              description={words.runs.fork.itemsAbout}
              autosize
              minRows={6}
              maxRows={20}
              validationError={words.runs.form.json}
              value={text}
              onChange={setItems}
            />
          )}
          {edit && given.error && <ErrorMessage title={words.runs.fork.unread} error={given.error} />}
          {edit && given.data && given.data.count < given.data.all && (
            <Text size="sm" role="status">
              {fill(words.runs.fork.cut, { count: given.data.count, all: given.data.all })}
            </Text>
          )}
          {edit && given.data?.files && (
            <Text size="sm" role="status">
              {words.runs.fork.files}
            </Text>
          )}
          {(once !== 'ask' || error?.code === 'run.fork_once') && (
            <Select
              label={words.runs.fork.once}
              data={[
                { value: 'ask', label: words.runs.fork.onceAsk },
                { value: 'repeat', label: words.runs.fork.onceRepeat },
                { value: 'reuse', label: words.runs.fork.onceReuse },
              ]}
              value={once}
              allowDeselect={false}
              onChange={(value) => setOnce((value ?? 'ask') as Once)}
            />
          )}
          {error && <ErrorMessage title={words.runs.actions.failed} error={error} />}
          <Group justify="flex-end">
            <Button type="submit" loading={busy}>
              {words.runs.fork.go}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
