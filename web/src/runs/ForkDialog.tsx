import { Button, Checkbox, Group, JsonInput, Modal, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ApiError, ask, client } from '@/api/client';
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
    queryFn: async () => {
      const found = await ask(
        client.GET('/api/v1/runs/{run_id}/steps/{step}', {
          params: { path: { run_id: run, step }, query: { limit: 200 } },
        }),
      );
      const ports = Object.entries(found.outputs).filter(([, port]) => port.count > 0);
      const made = Object.fromEntries(ports.map(([name, port]) => [name, port.items.map((item) => item.json)]));
      return JSON.stringify(ports.length === 1 ? Object.values(made)[0] : made, null, 2);
    },
    enabled: edit,
  });
  const text = items ?? given.data ?? '';

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
