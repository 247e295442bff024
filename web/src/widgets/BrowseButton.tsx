import { ActionIcon, Tooltip } from '@mantine/core';
import { IconFolderOpen } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { fill, words } from '@/text/language';

const FileDialog = lazy(() => import('./FileDialog'));

interface Props {
  /** Of what a path is looked for. */
  readonly label: string;
  /** The folder that is shown first; empty: where the server was started. */
  readonly folder: string;
  readonly foldersOnly: boolean;
  /** As high as a compact button beside it. */
  readonly compact?: boolean;
  readonly onChoose: (path: string) => void;
}

/** Opens the dialog in which a path is looked for. */
export function BrowseButton({ label, folder, foldersOnly, compact, onChoose }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Tooltip label={words.paths.browse}>
        <ActionIcon
          variant="default"
          size={compact ? 26 : 'lg'}
          aria-label={fill(words.paths.browseOf, { field: label })}
          onClick={() => setOpen(true)}
        >
          <IconFolderOpen size={compact ? 14 : 17} />
        </ActionIcon>
      </Tooltip>
      {open && (
        <Suspense fallback={null}>
          <FileDialog
            folder={folder}
            foldersOnly={foldersOnly}
            onClose={() => setOpen(false)}
            onChoose={(path) => {
              setOpen(false);
              onChoose(path);
            }}
          />
        </Suspense>
      )}
    </>
  );
}
