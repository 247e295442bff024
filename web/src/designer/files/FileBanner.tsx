import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconFileOff, IconFileX, IconInfoCircle, IconPlugConnectedX } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { useLocation } from 'wouter';
import { closeEditor } from '@/editor/files';
import { isChanged } from '@/editor/saving';
import { type Editor, useEditor } from '@/editor/store';
import { words } from '@/text/language';
import { store } from './store';

const ConflictDialog = lazy(() => import('./ConflictDialog').then((module) => ({ default: module.ConflictDialog })));

interface Props {
  readonly editor: Editor;
  /** Open the text of a file that is broken. */
  readonly onMend: () => void;
}

/** Tells of what stands between the graph that is shown and its file: a clash, a file that is gone, a lost server. */
export function FileBanner({ editor, onMend }: Props) {
  const id = useEditor(editor, (state) => state.id);
  const saving = useEditor(editor, (state) => state.saving);
  const disk = useEditor(editor, (state) => state.disk);
  const copies = useEditor(editor, (state) => state.readyMade && isChanged(state));
  const unkept = useEditor(editor, (state) => !state.kept && isChanged(state));
  const [asked, setAsked] = useState(false);
  const [, go] = useLocation();
  if (disk === 'gone') {
    return (
      <Banner color="orange" icon={<IconFileX />} text={words.files.gone}>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => {
            closeEditor(id);
            go('/');
          }}
        >
          {words.files.letGo}
        </Button>
        <Button size="compact-sm" onClick={() => void store(editor)}>
          {words.files.saveAsNew}
        </Button>
      </Banner>
    );
  }
  if (disk === 'broken') {
    return (
      <Banner color="red" icon={<IconFileOff />} text={words.files.broken}>
        <Button size="compact-sm" variant="default" onClick={onMend}>
          {words.files.openBroken}
        </Button>
      </Banner>
    );
  }
  if (saving === 'conflict') {
    return (
      <Banner color="yellow" icon={<IconAlertTriangle />} text={words.conflict.banner}>
        <Button size="compact-sm" onClick={() => setAsked(true)}>
          {words.conflict.open}
        </Button>
        {asked && (
          <Suspense>
            <ConflictDialog editor={editor} onClose={() => setAsked(false)} />
          </Suspense>
        )}
      </Banner>
    );
  }
  if (unkept) return <Banner color="orange" icon={<IconAlertTriangle />} text={words.files.unkept} />;
  if (saving === 'offline') return <Banner color="orange" icon={<IconPlugConnectedX />} text={words.files.offline} />;
  if (saving === 'locked') return <Banner color="orange" icon={<IconPlugConnectedX />} text={words.files.locked} />;
  if (copies) return <Banner color="blue" icon={<IconInfoCircle />} text={words.files.readyMade} calm />;
  return null;
}

interface BannerProps {
  readonly color: string;
  readonly icon: ReactNode;
  readonly text: string;
  /** Nothing is wrong. */
  readonly calm?: boolean;
  readonly children?: ReactNode;
}

function Banner({ color, icon, text, calm = false, children }: BannerProps) {
  return (
    <Alert color={color} icon={icon} role={calm ? 'status' : 'alert'} radius={0} py={8}>
      <Group justify="space-between" gap="xs">
        <Text size="sm">{text}</Text>
        {children && <Group gap="xs">{children}</Group>}
      </Group>
    </Alert>
  );
}
