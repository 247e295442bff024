import { Alert, Anchor, Button, Group, Loader, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { ApiError, ask, client, type Schemas } from '@/api/client';
import { watchGraphs } from '@/api/watch';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import classes from './text.module.css';
import { YamlEditor } from './YamlEditor';

interface Props {
  readonly id: string;
  /** Why it is no graph. */
  readonly error: Error | null;
  /** Called when it has become one. */
  readonly onMended: () => void;
}

/** A file that should be a graph and is none: as text, with what is wrong on its line. */
export function BrokenFile({ id, error, onMended }: Props) {
  const queries = useQueryClient();
  const file = useQuery({ queryKey: ['broken', id], queryFn: () => readText(id) });
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? file.data?.text ?? '';
  const check = useQuery({
    queryKey: ['check', text],
    enabled: file.data !== undefined,
    queryFn: () => ask(client.POST('/api/v1/graphs/check', { body: { text } })),
  });
  const [refused, setRefused] = useState<Error | null>(null);

  useEffect(
    () =>
      watchGraphs((change) => {
        if (change && change.graph !== id) return;
        void queries.invalidateQueries({ queryKey: ['broken', id] });
        if (change) onMended();
      }),
    [id, queries, onMended],
  );

  const save = async () => {
    if (!file.data) return;
    try {
      await ask(
        client.PUT('/api/v1/graphs/{graph_id}', {
          params: { path: { graph_id: id } },
          body: { text, base: file.data.hash, base_text: file.data.text },
        }),
      );
      onMended();
    } catch (failed) {
      setRefused(failed as Error);
    }
  };

  const problems = check.data?.problems ?? ([] as Schemas['ProblemView'][]);
  const mended = check.data !== undefined && !problems.some((problem) => problem.code.startsWith('graph.yaml'));
  if (file.isPending) return <Loader m="md" aria-label={words.shell.loading} />;
  if (file.error) {
    return (
      <Stack p="lg" align="flex-start">
        <ErrorMessage title={words.files.unreadable} error={error ?? file.error} />
        <Anchor component={Link} href="/">
          {words.shell.home}
        </Anchor>
      </Stack>
    );
  }
  return (
    <div className={classes.broken}>
      <Alert color="red" radius={0} title={words.designer.brokenTitle} role="alert">
        <Group justify="space-between" align="flex-start">
          <div>
            <Text size="sm">{problems[0]?.message ?? (error instanceof ApiError ? error.message : '')}</Text>
            <Text size="sm">{words.designer.brokenHint}</Text>
          </div>
          <Button size="xs" disabled={typed === null || !mended} onClick={() => void save()}>
            {words.designer.saveText}
          </Button>
        </Group>
        {refused && <ErrorMessage title={words.home.failed} error={refused} />}
      </Alert>
      <div className={classes.fill}>
        <YamlEditor label={words.designer.textLabel} value={text} problems={problems} onChange={setTyped} />
      </div>
    </div>
  );
}

async function readText(id: string): Promise<{ text: string; hash: string }> {
  const answer = await client.GET('/api/v1/graphs/{graph_id}/text', {
    params: { path: { graph_id: id } },
    parseAs: 'text',
  });
  const text = await ask(Promise.resolve(answer));
  return { text: text as unknown as string, hash: (answer.response.headers.get('etag') ?? '').replaceAll('"', '') };
}
