import { Alert, Code, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { words } from '@/text/language';
import { Ticked } from '@/widgets/Ticked';
import type { RunError } from './fold';
import classes from './RunErrorView.module.css';

/** What a step or a run failed of: its message, what to do about it, and its code. */
export function RunErrorView({
  error,
  handled = false,
  title,
}: {
  readonly error: RunError;
  readonly handled?: boolean;
  readonly title?: string;
}) {
  return (
    <Alert
      color={handled ? 'orange' : 'red'}
      variant="light"
      title={title}
      icon={<IconAlertTriangle size={18} />}
      className={classes.error}
    >
      <Text size="sm" className={classes.message}>
        <Ticked>{error.message}</Ticked>
      </Text>
      {error.hint && (
        <Text size="sm" mt={4} className={classes.message}>
          <Ticked>{error.hint}</Ticked>
        </Text>
      )}
      <Group gap="xs" mt={6}>
        <Code>{error.code}</Code>
        {handled && (
          <Text size="xs" c="dimmed">
            {words.runs.step.handled}
          </Text>
        )}
      </Group>
    </Alert>
  );
}
