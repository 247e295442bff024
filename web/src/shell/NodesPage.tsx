import { Badge, Box, Center, Group, Loader, NavLink, ScrollArea, Table, Text, TextInput, Title } from '@mantine/core';
import { IconPuzzle, IconSearch } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import Markdown from 'react-markdown';
import { Link } from 'wouter';
import { domainOf, type NodeTypeDetails, useNodeType, useNodeTypes } from '@/api/nodeTypes';
import { parametersOf } from '@/graph/schema';
import { fill, words } from '@/text/language';
import { EmptyState } from '@/widgets/EmptyState';
import classes from './NodesPage.module.css';

const CATEGORIES: { readonly [domain: string]: string } = words.canvas.categories;

/** The documentation of every node type that is installed. */
export default function NodesPage({ use }: { readonly use: string | undefined }) {
  const types = useNodeTypes();
  const [search, setSearch] = useState('');
  const chosen = use ? decodeURIComponent(use) : null;
  const groups = useMemo(() => {
    const wanted = search.trim().toLowerCase();
    const found = [...types.values()].filter((type) =>
      `${type.use}\n${type.title}\n${type.description}`.toLowerCase().includes(wanted),
    );
    return [...Map.groupBy(found, (type) => domainOf(type.use))].sort(([one], [other]) => one.localeCompare(other));
  }, [types, search]);
  const count = groups.reduce((sum, [, found]) => sum + found.length, 0);
  return (
    <div className={classes.page}>
      <Box className={classes.list} data-chosen={chosen ?? undefined}>
        <Box p="md">
          <Title order={1} size="h3" mb="xs">
            {words.nodes.title}
          </Title>
          <TextInput
            aria-label={words.nodes.search}
            placeholder={words.nodes.search}
            leftSection={<IconSearch size={16} />}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <Text size="xs" c="dimmed" mt={4} role="status">
            {fill(words.nodes.found, { count })}
          </Text>
        </Box>
        <ScrollArea flex={1}>
          <nav aria-label={words.nodes.title}>
            {groups.map(([domain, found]) => (
              <section key={domain}>
                <Text size="xs" fw={700} c="dimmed" px="md" pt="sm">
                  {CATEGORIES[domain] ?? domain}
                </Text>
                {found.map((type) => (
                  <NavLink
                    key={type.use}
                    px="md"
                    classNames={{ description: classes.description ?? '' }}
                    component={Link}
                    href={`/nodes/${encodeURIComponent(type.use)}`}
                    label={type.title}
                    description={type.use}
                    active={type.use === chosen}
                  />
                ))}
              </section>
            ))}
          </nav>
        </ScrollArea>
      </Box>
      <ScrollArea className={classes.details}>
        {chosen ? (
          <Details key={chosen} use={chosen} known={types.size === 0 || types.has(chosen)} />
        ) : (
          <EmptyState icon={<IconPuzzle size={32} />} title={words.nodes.choose} />
        )}
      </ScrollArea>
    </div>
  );
}

function Details({ use, known }: { readonly use: string; readonly known: boolean }) {
  const type = useNodeType(use);
  if (!known) return <EmptyState icon={<IconPuzzle size={32} />} title={words.nodes.unknown} hint={use} />;
  if (!type) {
    return (
      <Center h={200}>
        <Loader aria-label={words.shell.loading} />
      </Center>
    );
  }
  return (
    <Box p="lg" maw={860} component="article">
      <Title order={2}>{type.title}</Title>
      <Group gap="xs" my="xs">
        <Badge variant="default" tt="none">
          {type.use}
        </Badge>
        <Badge variant="light" tt="none" autoContrast>
          {type.kind}
        </Badge>
        {type.each_item && (
          <Badge variant="light" tt="none" color="gray" autoContrast>
            {words.nodes.eachItem}
          </Badge>
        )}
      </Group>
      <Markdown>{type.description}</Markdown>
      <Facts type={type} />
      <Title order={3} mt="lg" mb="xs">
        {words.nodes.parameters}
      </Title>
      <Parameters type={type} />
    </Box>
  );
}

function Facts({ type }: { readonly type: NodeTypeDetails }) {
  const ports = (names: readonly string[] | null) =>
    names?.map((name) => (name === '*' ? words.nodes.any : name)).join(', ') ?? words.nodes.byParameters;
  return (
    <Table variant="vertical" layout="fixed" withTableBorder mt="md">
      <Table.Tbody>
        <Table.Tr>
          <Table.Th w={140}>{words.nodes.into}</Table.Th>
          <Table.Td>{ports(type.ports_in)}</Table.Td>
        </Table.Tr>
        <Table.Tr>
          <Table.Th>{words.nodes.out}</Table.Th>
          <Table.Td>{ports(type.ports_out)}</Table.Td>
        </Table.Tr>
        <Table.Tr>
          <Table.Th>{words.nodes.effects}</Table.Th>
          <Table.Td>
            {type.effects ? `${type.effects}: ${words.nodes.effectsMeaning[type.effects]}` : words.nodes.byParameters}
          </Table.Td>
        </Table.Tr>
      </Table.Tbody>
    </Table>
  );
}

function Parameters({ type }: { readonly type: NodeTypeDetails }) {
  const parameters = parametersOf(type.params_schema);
  if (parameters.length === 0) return <Text c="dimmed">{words.nodes.noParameters}</Text>;
  return (
    <Table verticalSpacing="xs">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{words.nodes.name}</Table.Th>
          <Table.Th>{words.nodes.type}</Table.Th>
          <Table.Th>{words.nodes.meaning}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {parameters.map((one) => (
          <Table.Tr key={one.name}>
            <Table.Td>
              <code>{one.name}</code>
            </Table.Td>
            <Table.Td>{one.type}</Table.Td>
            <Table.Td>
              <Text size="sm">{one.description}</Text>
              <Text size="xs" c="dimmed">
                {one.required
                  ? words.nodes.required
                  : one.default === undefined
                    ? ''
                    : fill(words.nodes.default, { value: JSON.stringify(one.default) })}
              </Text>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
