import { ActionIcon, Anchor, Badge, Card, Group, Menu, Text } from '@mantine/core';
import { IconCopy, IconDots, IconTrash } from '@tabler/icons-react';
import { Link } from 'wouter';
import type { Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import classes from './home.module.css';
import { LastRuns } from './LastRuns';
import { Thumbnail } from './Thumbnail';

interface Props {
  readonly graph: Schemas['ListedGraph'];
  readonly runs: readonly Schemas['RunSummary'][];
  readonly onDuplicate: () => void;
  /** Left out where the file is not the user's own. */
  readonly onDelete?: (() => void) | undefined;
}

/** A graph as a card: its picture, its name, and how its last runs went. */
export function GraphCard({ graph, runs, onDuplicate, onDelete }: Props) {
  const name = graph.name || graph.id;
  return (
    <Card withBorder padding="md" className={classes.card} component="article" aria-label={name}>
      <Card.Section className={classes.picture} withBorder>
        {graph.problem ? (
          <Badge color="red">{words.home.broken}</Badge>
        ) : (
          graph.outline && <Thumbnail outline={graph.outline} />
        )}
      </Card.Section>
      <Group justify="space-between" wrap="nowrap" mt="sm" align="flex-start">
        <Anchor
          component={Link}
          href={`/graphs/${graph.id}`}
          className={classes.name}
          fw={600}
          c="inherit"
          lineClamp={2}
        >
          {name}
        </Anchor>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={fill(words.home.menu, { name })}
              className={classes.menu}
            >
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconCopy size={16} />} onClick={onDuplicate}>
              {words.home.duplicate}
            </Menu.Item>
            {onDelete && (
              <Menu.Item leftSection={<IconTrash size={16} />} color="red" onClick={onDelete}>
                {words.home.remove}
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </Group>
      <Text size="sm" c="dimmed" lineClamp={2} className={classes.description}>
        {graph.problem ? graph.problem.message : graph.description}
      </Text>
      <Group justify="space-between" mt="sm" wrap="nowrap">
        <Text size="xs" c="dimmed">
          {graph.nodes === 1 ? words.home.oneNode : fill(words.home.nodes, { count: graph.nodes })}
        </Text>
        <LastRuns runs={runs} name={name} />
      </Group>
    </Card>
  );
}
