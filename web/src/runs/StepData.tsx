import { Anchor, Button, Group, Loader, SegmentedControl, Stack, Text } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, ask, client, type Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import type { StepLive } from './fold';
import { bytes } from './format';
import { JsonView } from './JsonView';
import classes from './StepData.module.css';

const PAGE = 50;

/** The items that a step was given or gave, a page at a time. */
export function StepData({
  run,
  step,
  side,
}: {
  readonly run: string;
  readonly step: StepLive;
  readonly side: 'inputs' | 'outputs';
}) {
  const [chosen, setChosen] = useState<string | null>(null);
  const found = useInfiniteQuery({
    queryKey: ['step', run, step.step, step.status, step.attempt, chosen],
    queryFn: ({ pageParam, signal }) =>
      ask(
        client.GET('/api/v1/runs/{run_id}/steps/{step}', {
          params: {
            path: { run_id: run, step: step.step },
            query: { offset: pageParam, limit: PAGE, ...(chosen ? { port: chosen } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: (page) => {
      const port = chosen ?? firstPort(page[side]);
      return (port && page[side][port]?.next) || undefined;
    },
    placeholderData: keepPreviousData,
    enabled: step.status !== 'skipped',
  });
  if (found.error instanceof ApiError && found.error.status !== 404) {
    return <ErrorMessage title={words.runs.actions.failed} error={found.error} />;
  }
  if (found.isPending && step.status !== 'skipped' && !found.error)
    return <Loader size="sm" m="sm" aria-label={words.shell.loading} />;
  const pages = found.data?.pages ?? [];
  const ports = Object.entries(pages[0]?.[side] ?? {});
  const port = chosen ?? firstPort(pages[0]?.[side] ?? {});
  const items = port ? pages.flatMap((page) => page[side][port]?.items ?? []) : [];
  const count = (port && pages[0]?.[side][port]?.count) || 0;
  if (!items.length && ports.length < 2) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {step.ended_at || side === 'inputs' ? words.runs.step.noData : words.runs.step.notYet}
      </Text>
    );
  }
  return (
    <Stack gap="xs">
      {ports.length > 1 && (
        <SegmentedControl
          size="xs"
          value={port ?? ''}
          onChange={setChosen}
          data={ports.map(([name, page]) => ({ value: name, label: `${name} (${page.count})` }))}
        />
      )}
      {items.map((item) => (
        <Item key={item.index} item={item} />
      ))}
      {found.hasNextPage && (
        <Group>
          <Button
            size="compact-sm"
            variant="default"
            loading={found.isFetching}
            onClick={() => void found.fetchNextPage()}
          >
            {fill(words.runs.step.more, { left: count - items.length })}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function firstPort(ports: Schemas['StepDetails']['outputs']): string | null {
  const names = Object.keys(ports);
  return names.find((name) => (ports[name]?.count ?? 0) > 0) ?? names[0] ?? null;
}

function Item({ item }: { readonly item: Schemas['ItemView'] }) {
  return (
    <div className={classes.item}>
      <span className={classes.index}>{item.index}</span>
      <div className={classes.value}>
        <JsonView value={item.json} open={item.index < 5 ? 2 : 1} />
        {Object.entries(item.binary).map(([name, blob]) => (
          <Text key={name} size="xs">
            <Anchor href={`/api/v1/blobs/${blob.digest}`} download={blob.name || name}>
              {blob.name || name}
            </Anchor>{' '}
            {blob.media_type}, {bytes(blob.size)}
          </Text>
        ))}
      </div>
    </div>
  );
}
