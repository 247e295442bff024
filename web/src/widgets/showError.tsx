import { Code, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { ApiError } from '@/api/client';
import { words } from '@/text/language';
import { Ticked } from './Ticked';

/** Tell what went wrong: what happened, what to do about it, and the code that the documentation explains. */
export function showError(error: unknown, title: string = words.shell.failedTitle): void {
  const known = error instanceof ApiError ? error : null;
  notifications.show({
    color: 'red',
    autoClose: 12_000,
    title,
    // One that comes again takes the place of the one before.
    id: `error ${title} ${known?.code ?? ''}`,
    role: 'alert',
    message: (
      <>
        <Text size="sm">
          <Ticked>{error instanceof Error ? error.message : String(error)}</Ticked>
        </Text>
        {known?.hint && (
          <Text size="sm">
            <Ticked>{known.hint}</Ticked>
          </Text>
        )}
        {known && <Code>{known.code}</Code>}
      </>
    ),
  });
}

/** Tell what was done. */
export function showDone(message: string): void {
  notifications.show({ message });
}
