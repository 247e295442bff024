import { Button, CopyButton, Group, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { ApiError } from '@/api/client';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { JsonView } from '@/widgets/JsonView';
import type { StepLive } from '../fold';
import { draftOf, type FormSchema, readDraft } from '../form/fields';
import { SchemaForm } from '../form/SchemaForm';
import { itemCount, when } from '../format';
import { answerStep, resolveStep, sendSignal, tell } from '../requests';
import classes from './WaitingStep.module.css';

interface WaitingProps {
  readonly run: string;
  readonly step: StepLive;
  readonly label: string;
}

/** What a step waits for, answered in place: an approval, a form, a signal, an outcome that nobody knows. */
export function WaitingStep(props: WaitingProps) {
  const wait = props.step.wait ?? {};
  const heading = useId();
  const shown = forms[String(wait.kind)] ?? AnswerForm;
  const Shown = shown;
  return (
    <Paper
      component="section"
      withBorder
      p="md"
      className={classes.ask}
      aria-labelledby={heading}
      data-step={props.step.step}
    >
      <Title order={3} size="h5" id={heading}>
        {titleOf(wait)}
      </Title>
      <Text size="xs" c="dimmed">
        {[props.label, wait.until ? fill(words.runs.waiting.until, { time: when(String(wait.until)) }) : '']
          .filter(Boolean)
          .join(' · ')}
      </Text>
      <Shown {...props} />
      {props.step.form && ['approval', 'form'].includes(String(wait.kind)) && (
        <ForSomebodyElse path={props.step.form} />
      )}
    </Paper>
  );
}

function titleOf(wait: NonNullable<StepLive['wait']>): string {
  const title = typeof wait.title === 'string' ? wait.title : '';
  switch (wait.kind) {
    case 'approval':
      return title || words.runs.waiting.goOn;
    case 'signal':
      return fill(words.runs.waiting.signal, { name: String(wait.name ?? '') });
    case 'unknown':
      return words.runs.waiting.unknown;
    case 'time':
      return words.runs.waiting.time;
    default:
      return title || words.runs.waiting.answer;
  }
}

/** Sends an answer; what the server says against it stands below the form. */
function useSending(): [boolean, ReactNode, (request: () => Promise<unknown>, run: string, said: string) => void] {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const send = async (request: () => Promise<unknown>, run: string, said: string) => {
    setBusy(true);
    setError(null);
    const sent = await tell(
      run,
      () =>
        request().catch((wrong: unknown) => {
          if (wrong instanceof ApiError) setError(wrong);
          throw wrong;
        }),
      said,
    );
    if (!sent) setBusy(false);
  };
  return [busy, error && <ErrorMessage title={words.runs.actions.failed} error={error} />, send];
}

function Approval({ run, step }: WaitingProps) {
  const [comment, setComment] = useState('');
  const [busy, error, send] = useSending();
  const prompt = (step.wait?.prompt ?? {}) as { message?: string; items?: unknown[]; count?: number };
  const answer = (approved: boolean) =>
    send(
      () => answerStep(run, step.step, { approved, comment }),
      run,
      approved ? words.runs.waiting.approved : words.runs.waiting.rejected,
    );
  return (
    <Stack gap="sm" mt="xs">
      {prompt.message && <Text className={classes.text}>{prompt.message}</Text>}
      {prompt.items && prompt.items.length > 0 && (
        <details>
          <summary>{fill(words.runs.waiting.about, { count: itemCount(prompt.count ?? prompt.items.length) })}</summary>
          <JsonView value={prompt.items} />
        </details>
      )}
      <TextInput
        aria-label={words.runs.waiting.comment}
        placeholder={`${words.runs.waiting.comment}: ${words.runs.waiting.commentAbout}`}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      {error}
      <Group gap="xs">
        <Button color="teal.9" disabled={busy} onClick={() => answer(true)}>
          {words.runs.waiting.approve}
        </Button>
        <Button color="red.9" variant="outline" disabled={busy} onClick={() => answer(false)}>
          {words.runs.waiting.reject}
        </Button>
      </Group>
    </Stack>
  );
}

function AnswerForm({ run, step }: WaitingProps) {
  const asked = step.wait?.response_schema as FormSchema | undefined;
  const [schema] = useState<FormSchema>(asked ?? { properties: { value: {} } });
  const [draft, setDraft] = useState(() => draftOf(schema));
  const [tried, setTried] = useState(false);
  const [busy, error, send] = useSending();
  const read = readDraft(schema, draft);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!read.ok) return;
    const value = asked ? read.values : (read.values.value ?? null);
    send(() => answerStep(run, step.step, value), run, words.runs.waiting.answered);
  };
  const prompt = (step.wait?.prompt ?? {}) as { message?: string };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm" mt="xs">
        {prompt.message && <Text className={classes.text}>{prompt.message}</Text>}
        <SchemaForm
          schema={schema}
          draft={draft}
          onChange={setDraft}
          problems={tried && !read.ok ? read.problems : {}}
        />
        {error}
        <Group>
          <Button type="submit" disabled={busy}>
            {words.runs.waiting.send}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

const VALUE: FormSchema = { properties: { value: { title: words.runs.waiting.value } } };

function Signal({ run, step }: WaitingProps) {
  const [draft, setDraft] = useState(() => draftOf(VALUE));
  const [busy, error, send] = useSending();
  const read = readDraft(VALUE, draft);
  const name = String(step.wait?.name ?? '');
  const key = String(step.wait?.key ?? '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (read.ok) send(() => sendSignal(run, name, key, read.values.value ?? null), run, words.runs.waiting.sent);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" mt="xs">
        {key && (
          <Text size="sm" c="dimmed">
            {fill(words.runs.waiting.signalKey, { key })}
          </Text>
        )}
        <SchemaForm schema={VALUE} draft={draft} onChange={setDraft} problems={read.ok ? {} : read.problems} />
        {error}
        <Group>
          <Button type="submit" disabled={busy || !read.ok}>
            {words.runs.waiting.sendSignal}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Unknown({ run, step }: WaitingProps) {
  const [busy, error, send] = useSending();
  const settle = (how: 'done' | 'retry' | 'failed') => () =>
    send(() => resolveStep(run, step.step, how), run, words.runs.waiting.settled);
  return (
    <Stack gap="sm" mt="xs">
      <Text className={classes.text}>{String(step.wait?.reason ?? '')}</Text>
      <Text size="sm" c="dimmed">
        {words.runs.waiting.unknownAbout}
      </Text>
      {error}
      <Group gap="xs">
        <Button color="teal.9" disabled={busy} onClick={settle('done')}>
          {words.runs.waiting.done}
        </Button>
        <Button variant="default" disabled={busy} onClick={settle('retry')}>
          {words.runs.waiting.retry}
        </Button>
        <Button color="red.9" variant="outline" disabled={busy} onClick={settle('failed')}>
          {words.runs.waiting.failed}
        </Button>
      </Group>
    </Stack>
  );
}

const forms: { readonly [kind: string]: (props: WaitingProps) => ReactNode } = {
  approval: Approval,
  signal: Signal,
  unknown: Unknown,
  time: () => null,
};

/** The address of a page by which whoever has it may answer once. */
function ForSomebodyElse({ path }: { readonly path: string }) {
  const [shown, setShown] = useState(false);
  const address = `${location.origin}${path}`;
  if (!shown) {
    return (
      <Button size="compact-sm" variant="subtle" mt="xs" onClick={() => setShown(true)}>
        {words.runs.waiting.somebody}
      </Button>
    );
  }
  return (
    <Stack gap={4} mt="xs">
      <Text size="sm" c="dimmed">
        {words.runs.waiting.somebodyAbout}
      </Text>
      <Group gap="xs" wrap="nowrap">
        <TextInput readOnly flex={1} value={address} aria-label={words.runs.waiting.somebody} />
        <CopyButton value={address}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? words.runs.step.copied : words.runs.step.copy}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Stack>
  );
}
