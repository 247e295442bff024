import { Alert, Button, Code, Group, Text } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { ask, client } from '@/api/client';
import { useSessionEnded } from '@/api/session';
import { words } from '@/text/language';

const AGAIN = 5_000;

/** Tells how to get in again when the session has ended; where that is done in another tab, this one goes on. */
export function SessionBanner() {
  const ended = useSessionEnded();
  const queries = useQueryClient();
  const wasEnded = useRef(false);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (wasEnded.current && !ended) void queries.invalidateQueries();
    wasEnded.current = ended;
    if (!ended) return;
    const timer = setInterval(() => void knock(), AGAIN);
    const look = () => void knock();
    window.addEventListener('focus', look);
    return () => {
      clearInterval(timer);
      window.removeEventListener('focus', look);
    };
  }, [ended, queries]);
  if (!ended) return null;
  const command = ['pyagent open', window.location.port && `--port ${window.location.port}`].filter(Boolean).join(' ');
  return (
    <Alert color="yellow" icon={<IconLock />} role="alert" radius={0} py={8} title={words.shell.ended}>
      <Group justify="space-between" gap="xs">
        <Text size="sm">
          {words.shell.endedHint} <Code>{command}</Code>
        </Text>
        <Button
          size="compact-sm"
          loading={busy}
          onClick={() => {
            setBusy(true);
            void knock().finally(() => setBusy(false));
          }}
        >
          {words.shell.again}
        </Button>
      </Group>
    </Alert>
  );
}

/** Ask whether we are let in; `ask` tells the rest. */
async function knock(): Promise<void> {
  await ask(client.GET('/api/v1/graphs', { params: { query: { limit: 1 } } })).catch(() => undefined);
}
