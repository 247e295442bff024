import { Button, Group, Modal, Paper, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '@/api/client';
import { fill, words } from '@/text/language';
import { cancelRun, deleteRun } from '../requests';

const texts = words.runs.list;

/** What can be done with the chosen runs together. */
export function BulkBar({ chosen, onClear }: { readonly chosen: ReadonlySet<string>; readonly onClear: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState(false);
  const [, go] = useLocation();
  const queries = useQueryClient();
  const ids = [...chosen];

  async function all(request: (run: string) => Promise<unknown>) {
    setDeleting(false);
    setBusy(true);
    let done = 0;
    for (const id of ids) {
      try {
        await request(id);
        done += 1;
      } catch (error) {
        // One that has not ended, or is gone: the others go on.
        if (!(error instanceof ApiError)) throw error;
      }
    }
    setBusy(false);
    onClear();
    notifications.show({ message: fill(texts.done, { done, count: ids.length }) });
    await queries.invalidateQueries({ queryKey: ['runs'] });
  }

  return (
    <Paper withBorder px="sm" py={6} role="region" aria-label={fill(texts.chosen, { count: ids.length })}>
      <Group gap="xs">
        <Text size="sm" role="status">
          {fill(texts.chosen, { count: ids.length })}
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          disabled={ids.length !== 2}
          onClick={() => go(`/runs/${ids[0]}/compare/${ids[1]}`)}
        >
          {texts.compare}
        </Button>
        <Button size="compact-sm" variant="default" loading={busy} onClick={() => void all(cancelRun)}>
          {texts.cancel}
        </Button>
        <Button size="compact-sm" variant="default" color="red" disabled={busy} onClick={() => setDeleting(true)}>
          {texts.delete}
        </Button>
        <Button size="compact-sm" variant="subtle" onClick={onClear}>
          {texts.clear}
        </Button>
      </Group>
      <Modal
        opened={deleting}
        onClose={() => setDeleting(false)}
        title={fill(texts.deleteTitle, { count: ids.length })}
      >
        <Text size="sm">{texts.deleteAbout}</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={() => setDeleting(false)} data-autofocus>
            {words.runs.actions.keep}
          </Button>
          <Button color="red.9" onClick={() => void all(deleteRun)}>
            {texts.delete}
          </Button>
        </Group>
      </Modal>
    </Paper>
  );
}
