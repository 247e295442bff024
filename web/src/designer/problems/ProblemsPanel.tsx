import { Badge, Button, Code, Group, ScrollArea, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconWand } from '@tabler/icons-react';
import type { Schemas } from '@/api/client';
import { apply, type Editor, select, useEditor } from '@/editor/store';
import { withFixes } from '@/graph/fix';
import { placesOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { Ticked } from '@/widgets/Ticked';
import classes from './ProblemsPanel.module.css';

type Problem = Schemas['ProblemView'];

interface Props {
  readonly editor: Editor;
  /** Show a node on the canvas. */
  readonly onReveal: (node: string) => void;
}

/** What `pyagent graph check` says of the graph while it is edited, each with the way to its node and its quick fix. */
export function ProblemsPanel({ editor, onReveal }: Props) {
  const problems = useEditor(editor, (state) => state.checked?.problems) ?? [];
  // Fixes are edits of the graph that was checked: while it is edited, they wait for the next check.
  const current = useEditor(editor, (state) => state.checked?.graph === state.history.graph);
  const fixable = problems.filter((problem) => problem.fix);
  if (problems.length === 0) {
    return (
      <Group p="md" gap="xs" role="status">
        <IconCircleCheck size={18} color="var(--mantine-color-teal-6)" aria-hidden />
        <Text size="sm" fw={600}>
          {words.problems.none}
        </Text>
        <Text size="sm" c="dimmed">
          {words.problems.noneHint}
        </Text>
      </Group>
    );
  }
  return (
    <Stack gap={0} h="100%">
      {fixable.length > 1 && (
        <Group justify="flex-end" px="md" py={4}>
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<IconWand size={14} />}
            disabled={!current}
            onClick={() => fix(editor, fixable)}
          >
            {fill(words.problems.fixAll, { count: fixable.length })}
          </Button>
        </Group>
      )}
      <ScrollArea flex={1}>
        <ul className={classes.list} aria-label={words.problems.title}>
          {problems.map((problem) => (
            <ProblemRow
              key={`${problem.code} ${problem.path?.join('.')} ${problem.message}`}
              problem={problem}
              current={current}
              onGo={(node) => {
                editor.setState({ level: placesOf(editor.getState().history.graph).get(node)?.level ?? null });
                select(editor, { nodes: [node] });
                // Another level is drawn first.
                requestAnimationFrame(() => onReveal(node));
                const field = fieldOf(problem);
                if (field !== null) editor.setState({ opened: node, openedField: field });
              }}
              onFix={() => fix(editor, [problem])}
            />
          ))}
        </ul>
      </ScrollArea>
    </Stack>
  );
}

interface RowProps {
  readonly problem: Problem;
  readonly current: boolean;
  readonly onGo: (node: string) => void;
  readonly onFix: () => void;
}

function ProblemRow({ problem, current, onGo, onFix }: RowProps) {
  const node = problem.where.node;
  const isError = problem.severity === 'error';
  const Icon = isError ? IconCircleX : IconAlertTriangle;
  return (
    <li className={classes.row}>
      <Icon
        size={18}
        color={`var(--mantine-color-${isError ? 'red' : 'yellow'}-6)`}
        aria-label={isError ? words.problems.error : words.problems.warning}
        className={classes.icon}
      />
      <UnstyledButton
        className={classes.text}
        disabled={!node}
        onClick={() => node && onGo(node)}
        {...(node ? { title: fill(words.problems.go, { node }) } : {})}
      >
        <Text size="sm">
          <Ticked>{problem.message}</Ticked>
        </Text>
        <Text size="xs" c="dimmed">
          <Ticked>
            {[problem.hint, problem.where.line ? fill(words.problems.line, { line: problem.where.line }) : '']
              .filter(Boolean)
              .join(' · ')}
          </Ticked>
        </Text>
      </UnstyledButton>
      <Code className={classes.code}>{problem.code}</Code>
      {problem.fix && (
        <Button
          size="compact-xs"
          variant="light"
          leftSection={<IconWand size={14} />}
          disabled={!current}
          onClick={onFix}
        >
          {problem.fix.title}
        </Button>
      )}
    </li>
  );
}

/** The parameter that a problem is about, such as `fields/text`; null where it is about something else. */
function fieldOf({ path }: Problem): string | null {
  const at = path?.lastIndexOf('with') ?? -1;
  const field = at < 0 ? [] : (path ?? []).slice(at + 1);
  return field.length ? field.join('/') : null;
}

/** How many there are, for a button that opens the panel. */
export function ProblemCount({ editor }: { readonly editor: Editor }) {
  const problems = useEditor(editor, (state) => state.checked?.problems) ?? [];
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  const said = [
    errors && (errors === 1 ? words.problems.oneError : fill(words.problems.errors, { count: errors })),
    warnings && (warnings === 1 ? words.problems.oneWarning : fill(words.problems.warnings, { count: warnings })),
  ].filter(Boolean);
  return (
    <Badge color={errors ? 'red' : warnings ? 'yellow' : 'gray'} variant="light" tt="none" autoContrast>
      {said.join(', ') || words.problems.none}
    </Badge>
  );
}

function fix(editor: Editor, problems: readonly Problem[]): void {
  const fixes = problems.flatMap((problem) => (problem.fix ? [problem.fix] : []));
  apply(editor, fixes[0]?.title ?? '', (graph) => withFixes(graph, fixes));
}
