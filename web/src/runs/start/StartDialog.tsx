import {
  Alert,
  Button,
  Checkbox,
  Collapse,
  Group,
  Loader,
  Modal,
  Select,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { ApiError, ask, client, type Schemas } from '@/api/client';
import type { GraphSpec } from '@/graph/model';
import { specOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { consentsOf, draftOf, type FormSchema, readDraft } from '../form/fields';
import { SchemaForm } from '../form/SchemaForm';
import { startRun } from '../requests';
import { lastInputs, rememberInputs } from './inputs';

const texts = words.runs.start;

interface StartDialogProps {
  readonly graph: string;
  /** Only this node and what leads to it. */
  readonly until?: string;
  readonly onClose: () => void;
  readonly onStarted: (run: string) => void;
}

/** Starts a run by a form made from the graph's inputs, filled with those of the last one. */
export default function StartDialog({ graph, until, onClose, onStarted }: StartDialogProps) {
  const found = useQuery({
    queryKey: ['graph', graph],
    queryFn: ({ signal }) =>
      ask(client.GET('/api/v1/graphs/{graph_id}', { params: { path: { graph_id: graph } }, signal })),
    staleTime: 0,
    gcTime: 0,
  });
  const name = found.data?.name ?? graph;
  return (
    <Modal opened onClose={onClose} title={fill(texts.title, { name })} size="lg">
      {found.isPending && <Loader aria-label={words.shell.loading} />}
      {found.error && <ErrorMessage title={texts.refused} error={found.error} />}
      {found.data && !found.isFetching && (
        <StartForm details={found.data} until={until ?? ''} onClose={onClose} onStarted={onStarted} />
      )}
    </Modal>
  );
}

interface FormProps {
  readonly details: Schemas['GraphDetails'];
  readonly until: string;
  readonly onClose: () => void;
  readonly onStarted: (run: string) => void;
}

function StartForm({ details, until, onClose, onStarted }: FormProps) {
  const schema = details.inputs_schema as FormSchema;
  const pinned = Object.keys(specOf(details.spec).pins ?? {}).length > 0;
  const [last] = useState(() => lastInputs(details.id, schema));
  const [draft, setDraft] = useState(() => draftOf(schema, last ?? {}));
  const [test, setTest] = useState(pinned);
  const [trigger, setTrigger] = useState('');
  const [key, setKey] = useState('');
  const [agreed, setAgreed] = useState(false);
  const [more, setMore] = useState(false);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const form = useRef<HTMLFormElement>(null);
  // The dialog was there before the form: what it had to focus then was its close button.
  useEffect(() => form.current?.querySelector<HTMLElement>('[data-autofocus]')?.focus(), []);
  const read = readDraft(schema, draft);
  const consents = consentsOf(schema, draft);
  const refused = fieldOf(error);
  const broken = details.problems.some((problem) => problem.severity === 'error');
  const fields = Object.keys(schema.properties ?? {}).length;

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!read.ok || (consents.length > 0 && !agreed)) return;
    setBusy(true);
    setError(null);
    try {
      const run = await startRun({
        graph: details.id,
        inputs: read.values,
        test,
        consent: consents.length > 0 && agreed,
        ...(trigger ? { trigger } : {}),
        ...(until ? { until } : {}),
        ...(key ? { key } : {}),
      });
      rememberInputs(details.id, schema, read.values);
      onClose();
      onStarted(run.id);
    } catch (wrong) {
      if (!(wrong instanceof ApiError)) throw wrong;
      setError(wrong);
      setBusy(false);
    }
  }

  return (
    <form ref={form} onSubmit={(event) => void submit(event)} noValidate>
      <Stack gap="md">
        {broken && <Alert color="red">{texts.problems}</Alert>}
        {fields ? (
          <SchemaForm
            schema={schema}
            draft={draft}
            onChange={setDraft}
            problems={tried && !read.ok ? read.problems : {}}
            refused={refused ? { [refused]: error?.message ?? '' } : {}}
            autoFocus
          />
        ) : (
          <Text size="sm" c="dimmed">
            {texts.noInputs}
          </Text>
        )}
        {last && fields > 0 && (
          <Group gap="xs">
            <Text size="xs" c="dimmed">
              {texts.last}
            </Text>
            <Button size="compact-xs" variant="subtle" onClick={() => setDraft(draftOf(schema))}>
              {texts.reset}
            </Button>
          </Group>
        )}
        {consents.length > 0 && (
          <Checkbox
            label={fill(texts.consent, { text: consents.join(' ') })}
            checked={agreed}
            error={tried && !agreed ? texts.consentNeeded : undefined}
            onChange={(event) => setAgreed(event.currentTarget.checked)}
          />
        )}
        {pinned && (
          <Switch
            label={texts.test}
            description={texts.testAbout}
            checked={test}
            onChange={(event) => setTest(event.currentTarget.checked)}
          />
        )}
        <Collapse expanded={more}>
          <Stack gap="sm">
            {details.triggers.length > 0 && (
              <Select
                label={texts.trigger}
                data={[
                  { value: '', label: texts.triggerAny },
                  ...details.triggers.map((id) => ({
                    value: id,
                    label: labelIn(specOf(details.spec), id),
                  })),
                ]}
                value={trigger}
                allowDeselect={false}
                onChange={(value) => setTrigger(value ?? '')}
              />
            )}
            {!pinned && (
              <Switch label={texts.test} checked={test} onChange={(event) => setTest(event.currentTarget.checked)} />
            )}
            <TextInput
              label={texts.key}
              description={texts.keyAbout}
              maxLength={200}
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
            />
          </Stack>
        </Collapse>
        {error && !refused && <ErrorMessage title={texts.refused} error={error} />}
        <Group justify="space-between">
          <Button variant="subtle" size="compact-sm" aria-expanded={more} onClick={() => setMore(!more)}>
            {texts.advanced}
          </Button>
          <Button type="submit" loading={busy} disabled={broken} {...(fields ? {} : { 'data-autofocus': true })}>
            {texts.start}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** The input that the server does not take. */
function fieldOf(error: ApiError | null): string | null {
  const field = error?.where.field;
  return typeof field === 'string' ? (/^inputs\.([^.]+)/.exec(field)?.[1] ?? null) : null;
}

function labelIn(graph: GraphSpec, id: string): string {
  return graph.nodes.find((node) => node.id === id)?.name || id;
}
