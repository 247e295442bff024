import { Button, Group, Text } from '@mantine/core';
import { IconAlertCircle, IconAlertTriangle, IconBolt } from '@tabler/icons-react';
import { useShallow } from 'zustand/react/shallow';
import { apply, useEditor } from '@/editor/store';
import { withFixes } from '@/graph/fix';
import { fill, words } from '@/text/language';
import { Ticked } from '@/widgets/Ticked';
import { usePanel } from './context';
import { type Problem, problemsAt } from './problems';

/** The problems at a field of the node; `inside` takes those deeper in it, too. */
export function useProblems(field: string, inside: boolean): readonly Problem[] {
  const { editor, node } = usePanel();
  return useEditor(
    editor,
    useShallow((state) => problemsAt(state.checked, node, field, inside)),
  );
}

/** Problems with their quick fixes, to stand under a field. */
export function Problems({ id, problems }: { readonly id?: string; readonly problems: readonly Problem[] }) {
  const { editor, say } = usePanel();
  if (problems.length === 0) return null;
  return (
    <div id={id} role="status">
      {problems.map((problem) => {
        const bad = problem.severity === 'error';
        const Icon = bad ? IconAlertCircle : IconAlertTriangle;
        const fix = problem.fix;
        return (
          <Group key={`${problem.code}${problem.message}`} gap={6} wrap="nowrap" align="flex-start" mt={4}>
            <Icon size={15} color={bad ? 'var(--mantine-color-error)' : 'var(--mantine-color-yellow-7)'} />
            <div>
              <Text size="xs" c={bad ? 'var(--mantine-color-error)' : 'var(--mantine-color-text)'}>
                <Ticked>{problem.message}</Ticked>
              </Text>
              {problem.hint && (
                <Text size="xs" c="dimmed">
                  <Ticked>{problem.hint}</Ticked>
                </Text>
              )}
              {fix && (
                <Button
                  size="compact-xs"
                  variant="light"
                  mt={2}
                  leftSection={<IconBolt size={12} />}
                  onClick={() => {
                    apply(editor, fix.title, (graph) => withFixes(graph, [fix]));
                    say(fix.title);
                  }}
                >
                  {fill(words.panel.fix, { title: fix.title })}
                </Button>
              )}
            </div>
          </Group>
        );
      })}
    </div>
  );
}
