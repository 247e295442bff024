import { Button, Group, Menu, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconChevronDown, IconPlayerPlay, IconPlayerTrackNext, IconRoute2 } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ApiError } from '@/api/client';
import { words } from '@/text/language';
import { usePanel } from '../context';
import { type Part, runPart } from './start';

function useRunPart(node: string) {
  const { editor, setSample, say } = usePanel();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (part: Part) => runPart(editor, node, part),
    onSuccess: (run) => {
      editor.setState({ run });
      setSample({ run, step: null, item: 0 });
      void queries.invalidateQueries({ queryKey: ['last-run'] });
      say(words.panel.running);
    },
    onError: (error) => {
      const hint = error instanceof ApiError ? error.hint : '';
      notifications.show({ color: 'red', title: words.panel.runFailed, message: `${error.message} ${hint}`.trim() });
    },
  });
}

/** The panel's run button, with the other ways to run behind an arrow. */
export function RunButtons() {
  const { node } = usePanel();
  const run = useRunPart(node);
  return (
    <Group gap={0} wrap="nowrap">
      <Button
        size="xs"
        leftSection={<IconPlayerPlay size={14} />}
        loading={run.isPending}
        style={{ borderStartEndRadius: 0, borderEndEndRadius: 0 }}
        onClick={() => run.mutate('node')}
      >
        {words.panel.runNode}
      </Button>
      <Menu position="bottom-end" width={300}>
        <Menu.Target>
          <Button
            size="xs"
            px={6}
            aria-label={words.panel.moreRuns}
            style={{ borderStartStartRadius: 0, borderEndStartRadius: 0, marginInlineStart: 1 }}
          >
            <IconChevronDown size={14} />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => run.mutate('node')}>
            <Words title={words.panel.runNode} hint={words.panel.runNodeHint} />
          </Menu.Item>
          <Menu.Item leftSection={<IconRoute2 size={16} />} onClick={() => run.mutate('to')}>
            <Words title={words.panel.runHere} hint={words.panel.runHereHint} />
          </Menu.Item>
          <Menu.Item leftSection={<IconPlayerTrackNext size={16} />} onClick={() => run.mutate('from')}>
            <Words title={words.panel.runFrom} hint={words.panel.runFromHint} />
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

function Words({ title, hint }: { readonly title: string; readonly hint: string }) {
  return (
    <>
      <Text size="sm">{title}</Text>
      <Text size="xs" c="dimmed">
        {hint}
      </Text>
    </>
  );
}

/** A button for empty panes: run everything up to a node. */
export function RunToHere({ node }: { readonly node: string }) {
  const run = useRunPart(node);
  return (
    <Button
      size="xs"
      leftSection={<IconPlayerPlay size={14} />}
      loading={run.isPending}
      onClick={() => run.mutate('to')}
    >
      {words.panel.runHere}
    </Button>
  );
}
