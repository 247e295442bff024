import { Alert, Code, Text } from '@mantine/core';
import { ApiError } from '@/api/client';

/** What went wrong, what to do about it, and the code that the documentation explains. */
export function ErrorMessage({ title, error }: { readonly title: string; readonly error: Error }) {
  return (
    <Alert color="red" title={title} role="alert">
      <Text size="sm">{error.message}</Text>
      {error instanceof ApiError && (
        <>
          {error.hint && <Text size="sm">{error.hint}</Text>}
          <Code>{error.code}</Code>
        </>
      )}
    </Alert>
  );
}
