import { Button, Group, Loader, Modal, SegmentedControl, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, client } from '@/api/client';
import { resolve, save } from '@/editor/files';
import { type Editor, graphOf, useEditor } from '@/editor/store';
import { type Conflict, type Side, settled, told } from '@/graph/conflicts';
import { specOf } from '@/graph/read';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import classes from './files.module.css';

/** Brings what is shown together with a file that says something else: each place that clashes is asked for. */
export function ConflictDialog({ editor, onClose }: { readonly editor: Editor; readonly onClose: () => void }) {
  const theirs = useEditor(editor, (state) => state.theirs);
  const base = useEditor(editor, (state) => state.saved.text);
  const shown = useEditor(editor, (state) => state.history.graph);
  const merged = useQuery({
    queryKey: ['merge', theirs?.textHash, shown],
    enabled: theirs !== null,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      ask(
        client.POST('/api/v1/graphs/merge', {
          body: { base, ours: shown, theirs: theirs?.text ?? '' },
        }),
      ),
  });
  const [sides, setSides] = useState<readonly Side[]>([]);
  const conflicts = (merged.data?.conflicts ?? []) as readonly Conflict[];
  const chosen = conflicts.map((_, index): Side => sides[index] ?? 'ours');
  const setAll = (side: Side) => setSides(conflicts.map(() => side));

  const finish = () => {
    const spec = specOf(merged.data?.spec);
    if (!spec) return;
    resolve(editor, settled(spec, graphOf(editor), conflicts, chosen));
    onClose();
    void save(editor).catch(() => undefined);
  };

  return (
    <Modal opened onClose={onClose} title={words.conflict.title} size="xl" centered>
      <Stack>
        <Text size="sm">{words.conflict.intro}</Text>
        {merged.isPending && <Loader aria-label={words.shell.loading} />}
        {merged.error && <ErrorMessage title={words.home.failed} error={merged.error} />}
        {conflicts.length > 1 && (
          <Group gap="xs">
            <Button size="compact-sm" variant="default" onClick={() => setAll('ours')}>
              {words.conflict.allOurs}
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => setAll('theirs')}>
              {words.conflict.allTheirs}
            </Button>
          </Group>
        )}
        <Table aria-label={words.conflict.title} verticalSpacing="sm">
          <Table.Tbody>
            {conflicts.map((conflict, index) => (
              <Table.Tr key={conflict.path}>
                <Table.Td>
                  <Text size="sm" fw={600}>
                    {conflict.path}
                  </Text>
                  <div className={classes.sides}>
                    <Said title={words.conflict.ours} text={told(conflict, 'ours')} chosen={chosen[index] === 'ours'} />
                    <Said
                      title={words.conflict.theirs}
                      text={told(conflict, 'theirs')}
                      chosen={chosen[index] === 'theirs'}
                    />
                  </div>
                </Table.Td>
                <Table.Td width={160}>
                  <SegmentedControl
                    size="xs"
                    aria-label={conflict.path}
                    value={chosen[index] ?? 'ours'}
                    onChange={(side) => setSides(chosen.map((one, at) => (at === index ? (side as Side) : one)))}
                    data={[
                      { value: 'ours', label: words.conflict.ours },
                      { value: 'theirs', label: words.conflict.theirs },
                    ]}
                  />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {words.conflict.later}
          </Button>
          <Button onClick={finish} disabled={!merged.data?.spec}>
            {words.conflict.apply}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Said({
  title,
  text,
  chosen,
}: {
  readonly title: string;
  readonly text: string | null;
  readonly chosen: boolean;
}) {
  return (
    <div className={classes.said} data-chosen={chosen || undefined}>
      <Text size="xs" c="dimmed">
        {title}
      </Text>
      <pre>{text ?? words.conflict.nothing}</pre>
    </div>
  );
}
