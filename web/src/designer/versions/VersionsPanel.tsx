import { Group, Loader, ScrollArea, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconGitCommit, IconHistory } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import type { Schemas } from '@/api/client';
import { useHistory } from '@/api/history';
import { type Editor, useEditor } from '@/editor/store';
import { fill, words } from '@/text/language';
import { EmptyState } from '@/widgets/EmptyState';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import classes from './VersionsPanel.module.css';

const CompareDialog = lazy(() => import('./CompareDialog').then((module) => ({ default: module.CompareDialog })));

/** What the file said before: commits where it is in git, and each save; to look at, compare and restore. */
export function VersionsPanel({ editor }: { readonly editor: Editor }) {
  const id = useEditor(editor, (state) => state.id);
  const textHash = useEditor(editor, (state) => state.saved.textHash);
  const history = useHistory(id, textHash);
  const [compared, setCompared] = useState<Schemas['HistoryEntry'] | null>(null);
  if (history.isPending) return <Loader m="md" aria-label={words.shell.loading} />;
  if (history.error) return <ErrorMessage title={words.home.failed} error={history.error} />;
  const entries = history.data.entries.filter((entry) => entry.text_hash !== textHash);
  return (
    <>
      {entries.length === 0 && (
        <EmptyState icon={<IconHistory size={32} />} title={words.versions.none} hint={words.versions.noneHint} />
      )}
      <ScrollArea h="100%">
        <ul className={classes.list} aria-label={words.versions.title}>
          {entries.map((entry) => (
            <li key={`${entry.source} ${entry.ref}`}>
              <Entry entry={entry} onCompare={() => setCompared(entry)} />
            </li>
          ))}
        </ul>
      </ScrollArea>
      {compared && (
        <Suspense>
          <CompareDialog editor={editor} entry={compared} onClose={() => setCompared(null)} />
        </Suspense>
      )}
    </>
  );
}

function Entry({ entry, onCompare }: { readonly entry: Schemas['HistoryEntry']; readonly onCompare: () => void }) {
  const git = entry.source === 'git';
  const Icon = git ? IconGitCommit : IconHistory;
  return (
    <UnstyledButton className={classes.entry} onClick={onCompare} title={words.versions.compare}>
      <Group wrap="nowrap" align="flex-start" gap="xs">
        <Icon size={18} aria-hidden className={classes.icon} />
        <Stack gap={0} miw={0}>
          <Text size="sm" fw={600} truncate>
            {git ? entry.subject : words.versions.saved}
          </Text>
          <Text size="xs" c="dimmed">
            {[
              new Date(entry.at).toLocaleString(),
              entry.author,
              git ? fill(words.versions.commit, { ref: entry.ref.slice(0, 8) }) : '',
            ]
              .filter(Boolean)
              .join(' · ')}
          </Text>
        </Stack>
      </Group>
    </UnstyledButton>
  );
}
