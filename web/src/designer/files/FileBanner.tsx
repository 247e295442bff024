import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconPlugConnectedX } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { type Editor, useEditor } from '@/editor/store';
import { words } from '@/text/language';

const ConflictDialog = lazy(() => import('./ConflictDialog').then((module) => ({ default: module.ConflictDialog })));

/** Tells of what stands between the graph that is shown and its file: a clash, or a server that is gone. */
export function FileBanner({ editor }: { readonly editor: Editor }) {
  const saving = useEditor(editor, (state) => state.saving);
  const [asked, setAsked] = useState(false);
  if (saving === 'conflict') {
    return (
      <Alert color="yellow" icon={<IconAlertTriangle />} role="alert" radius={0} py={8}>
        <Group justify="space-between">
          <Text size="sm">{words.conflict.banner}</Text>
          <Button size="compact-sm" onClick={() => setAsked(true)}>
            {words.conflict.open}
          </Button>
        </Group>
        {asked && (
          <Suspense>
            <ConflictDialog editor={editor} onClose={() => setAsked(false)} />
          </Suspense>
        )}
      </Alert>
    );
  }
  if (saving === 'offline') {
    return (
      <Alert color="orange" icon={<IconPlugConnectedX />} role="alert" radius={0} py={8}>
        <Text size="sm">{words.files.offline}</Text>
      </Alert>
    );
  }
  return null;
}
