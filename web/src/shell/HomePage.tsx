import {
  Box,
  Button,
  Center,
  FileButton,
  Group,
  Loader,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { IconFileImport, IconPlus, IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { ask, client, type Schemas } from '@/api/client';
import { useCreateGraph, useDeleteGraph, useDuplicateGraph, useGraphs } from '@/api/graphs';
import { TourOffer } from '@/designer/tour/TourOffer';
import { closeEditor } from '@/editor/files';
import { fill, words } from '@/text/language';
import { ConfirmDialog } from '@/widgets/ConfirmDialog';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { NewGraphDialog } from '@/widgets/NewGraphDialog';
import { GraphCard } from './home/GraphCard';
import classes from './home/home.module.css';
import { SHOWN } from './home/LastRuns';
import { useOpenFile } from './home/useOpenFile';

type Summary = Schemas['ListedGraph'];
type Asked = { kind: 'create' } | { kind: 'duplicate' | 'delete'; graph: Summary };

/** The graphs there are, with how their last runs went; new ones are begun here. */
export default function HomePage() {
  const graphs = useGraphs();
  const runs = useLastRuns(graphs.data);
  const [, go] = useLocation();
  const [search, setSearch] = useState('');
  const [sort, setSort] = useState('name');
  const [asked, setAsked] = useState<Asked | null>(null);
  const create = useCreateGraph();
  const duplicate = useDuplicateGraph();
  const remove = useDeleteGraph();
  const all = graphs.data ?? [];
  const taken = useMemo(() => new Set(graphs.data?.map((graph) => graph.id)), [graphs.data]);

  const shown = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    const found = (graphs.data ?? []).filter((graph) =>
      `${graph.id}\n${graph.name}\n${graph.description}`.toLowerCase().includes(wanted),
    );
    const last = (graph: Summary) => runs.get(graph.id)?.[0]?.created_at ?? '';
    return found.toSorted((one, other) =>
      sort === 'run'
        ? last(other).localeCompare(last(one))
        : (one.name || one.id).localeCompare(other.name || other.id),
    );
  }, [graphs.data, search, sort, runs]);

  const add = useOpenFile();

  const card = (graph: Summary) => (
    <GraphCard
      key={graph.file || graph.id}
      graph={graph}
      runs={runs.get(graph.id) ?? []}
      onDuplicate={() => setAsked({ kind: 'duplicate', graph })}
      onDelete={graph.ready_made ? undefined : () => setAsked({ kind: 'delete', graph })}
    />
  );
  const mine = shown.filter((graph) => !graph.ready_made);
  const templates = shown.filter((graph) => graph.ready_made);

  return (
    <Box p={{ base: 'md', sm: 'lg' }} maw={1400} mx="auto">
      <Group justify="space-between" mb="md">
        <Title order={1} size="h2">
          {words.home.title}
        </Title>
        <div className={classes.tools}>
          <TextInput
            className={classes.search ?? ''}
            aria-label={words.home.search}
            placeholder={words.home.search}
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <Select
            aria-label={words.home.sort}
            w={130}
            allowDeselect={false}
            data={[
              { value: 'name', label: words.home.byName },
              { value: 'run', label: words.home.byRun },
            ]}
            value={sort}
            onChange={(value) => setSort(value ?? 'name')}
          />
          <FileButton onChange={(file) => void add(file)} accept=".yaml,.yml">
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconFileImport size={16} />} title={words.home.drop}>
                {words.home.open}
              </Button>
            )}
          </FileButton>
          <Button leftSection={<IconPlus size={16} />} onClick={() => setAsked({ kind: 'create' })}>
            {words.home.create}
          </Button>
        </div>
      </Group>
      {graphs.data && <TourOffer />}
      {graphs.isPending && (
        <Center h={200}>
          <Loader aria-label={words.shell.loading} />
        </Center>
      )}
      {graphs.error && <ErrorMessage title={words.home.failed} error={graphs.error} />}
      {graphs.data && (
        <Stack gap="xl">
          <section aria-label={words.home.mine}>
            {mine.length > 0 ? (
              <Cards>{mine.map(card)}</Cards>
            ) : (
              <Stack align="center" py="xl" gap={4}>
                <Text fw={600}>
                  {search && all.length ? fill(words.home.nothingFound, { search }) : words.home.none}
                </Text>
                {!search && <Text c="dimmed">{words.home.noneHint}</Text>}
              </Stack>
            )}
          </section>
          {templates.length > 0 && (
            <section aria-label={words.home.templates}>
              <Title order={2} size="h4">
                {words.home.templates}
              </Title>
              <Text size="sm" c="dimmed" mb="sm">
                {words.home.templatesHint}
              </Text>
              <Cards>{templates.map(card)}</Cards>
            </section>
          )}
        </Stack>
      )}
      {asked?.kind === 'create' && (
        <NewGraphDialog
          title={words.home.create}
          name=""
          taken={taken}
          error={create.error}
          busy={create.isPending}
          onClose={() => setAsked(null)}
          onCreate={(id, name) =>
            create.mutate(
              { spec: { pyagent: 1, id, ...(name ? { name } : {}), nodes: [] } },
              { onSuccess: (made) => go(`/graphs/${made.id}`) },
            )
          }
        />
      )}
      {asked?.kind === 'duplicate' && (
        <NewGraphDialog
          title={words.home.duplicate}
          name={fill(words.home.copyOf, { name: asked.graph.name || asked.graph.id })}
          taken={taken}
          error={duplicate.error}
          busy={duplicate.isPending}
          onClose={() => setAsked(null)}
          onCreate={(id, name) =>
            duplicate.mutate({ graph: asked.graph.id, id, name }, { onSuccess: (made) => go(`/graphs/${made.id}`) })
          }
        />
      )}
      {asked?.kind === 'delete' && (
        <ConfirmDialog
          title={fill(words.home.removeTitle, { name: asked.graph.name || asked.graph.id })}
          text={fill(words.home.removeHint, { file: asked.graph.file })}
          action={words.home.remove}
          error={remove.error}
          busy={remove.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() =>
            remove.mutate(asked.graph.id, {
              onSuccess: () => {
                closeEditor(asked.graph.id);
                setAsked(null);
              },
            })
          }
        />
      )}
    </Box>
  );
}

function Cards({ children }: { readonly children: React.ReactNode }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3, xl: 4 }} spacing="md">
      {children}
    </SimpleGrid>
  );
}

/** Graphs that one request asks about: the server takes no more. */
const TOGETHER = 200;

/** The last runs by graph, newest first. */
function useLastRuns(graphs: readonly Summary[] | undefined): ReadonlyMap<string, Schemas['RunSummary'][]> {
  const ids = useMemo(() => [...new Set(graphs?.map((graph) => graph.id))], [graphs]);
  const runs = useQuery({
    queryKey: ['runs', 'last', ids],
    queryFn: async ({ signal }) => {
      const found: Schemas['RunSummary'][] = [];
      for (let at = 0; at < ids.length; at += TOGETHER) {
        const query = { graph: ids.slice(at, at + TOGETHER), each: SHOWN };
        found.push(...(await ask(client.GET('/api/v1/runs/last', { params: { query }, signal }))).runs);
      }
      return found;
    },
    enabled: ids.length > 0,
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
  return useMemo(() => Map.groupBy(runs.data ?? [], (run) => run.graph), [runs.data]);
}
