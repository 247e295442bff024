import { Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useIntersection } from '@mantine/hooks';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useGraphs } from '@/api/graphs';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { LinkBanner } from './LinkBanner';
import { BulkBar } from './list/BulkBar';
import { ALL, type Filters, narrows } from './list/filters';
import { RunFilters } from './list/RunFilters';
import { RunsTable } from './list/RunsTable';
import { Statistics } from './list/Statistics';
import { useRunList, useRunsLive } from './list/useRunList';
import classes from './RunsPage.module.css';

const texts = words.runs.list;

/** All runs: found, counted, compared, and stopped or deleted together; `graph` narrows the list to begin with. */
export default function RunsPage({ graph }: { readonly graph?: string }) {
  const [filters, setFilters] = useState<Filters>(() => ({ ...ALL, graph: graph ?? null }));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const link = useRunsLive();
  const found = useRunList(filters);
  const graphs = useGraphs();
  const names = useMemo(
    () => new Map((graphs.data ?? []).map((each) => [each.id, each.name || each.id])),
    [graphs.data],
  );
  const runs = found.data?.pages.flatMap((page) => page.runs) ?? [];
  const { ref: end, entry } = useIntersection({ rootMargin: '400px' });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  useEffect(() => {
    if (entry?.isIntersecting && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [entry, hasNextPage, isFetchingNextPage, fetchNextPage]);
  useEffect(() => {
    document.title = `${words.runs.title} · ${words.shell.name}`;
  }, []);

  return (
    <div className={classes.page}>
      <Stack gap="sm" px="md" pt="md">
        <Title order={1} size="h3">
          {words.runs.title}
        </Title>
        <Statistics graph={filters.graph} since={filters.since} names={names} />
        <RunFilters filters={filters} graphs={[...names].map(([id, name]) => ({ id, name }))} onChange={setFilters} />
        {chosen.size > 0 && <BulkBar chosen={chosen} onClear={() => setChosen(new Set())} />}
      </Stack>
      <LinkBanner link={link} />
      {found.error && !found.data && (
        <Stack p="md">
          <ErrorMessage title={texts.unreadable} error={found.error} />
        </Stack>
      )}
      {found.isPending && !found.error && (
        <Center p="xl">
          <Loader aria-label={words.shell.loading} />
        </Center>
      )}
      {runs.length > 0 && (
        <div className={classes.table}>
          <RunsTable runs={runs} names={names} chosen={chosen} onChoose={setChosen} />
          <Center ref={end} p="sm">
            <Text size="xs" c="dimmed">
              {hasNextPage ? texts.more : texts.all}
            </Text>
          </Center>
        </div>
      )}
      {found.data && !runs.length && <Nothing narrowed={narrows(filters)} onClear={() => setFilters(ALL)} />}
    </div>
  );
}

function Nothing({ narrowed, onClear }: { readonly narrowed: boolean; readonly onClear: () => void }) {
  return (
    <Center className={classes.nothing}>
      <Stack align="center" gap="xs">
        <IconPlayerPlay size={40} stroke={1.2} aria-hidden />
        <Text fw={600}>{narrowed ? texts.nothing : texts.none}</Text>
        <Text size="sm" c="dimmed">
          {narrowed ? texts.nothingAbout : texts.noneAbout}
        </Text>
        <Group>
          {narrowed ? (
            <Button variant="default" onClick={onClear}>
              {texts.clearFilters}
            </Button>
          ) : (
            <Button component={Link} href="/">
              {texts.toGraphs}
            </Button>
          )}
        </Group>
      </Stack>
    </Center>
  );
}
