import { Alert, Code, Text } from '@mantine/core';
import { ApiError } from '@/api/client';
import { Ticked } from './Ticked';

/** What went wrong, what to do about it, and the code that the documentation explains. */
export function ErrorMessage({ title, error }: { readonly title: string; readonly error: Error }) {
  return (
    <Alert color="red" title={title} role="alert">
      <Text size="sm">
        <Ticked>{error.message}</Ticked>
      </Text>
      {error instanceof ApiError && (
        <>
          {error.hint && (
            <Text size="sm">
              <Ticked>{error.hint}</Ticked>
            </Text>
          )}
          <Code>{error.code}</Code>
        </>
      )}
    </Alert>
  );
}
