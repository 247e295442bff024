import { Anchor, Button, Group, Kbd, Loader, Modal, Switch, Text, VisuallyHidden } from '@mantine/core';
import {
  IconFile,
  IconFileUnknown,
  IconFolder,
  IconFolderSymlink,
  IconHome,
  IconPlus,
  IconServer2,
} from '@tabler/icons-react';
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react';
import { type FolderView, folderAt, useFolder } from '@/api/files';
import { fill, words } from '@/text/language';
import { type Choice, ChooseList } from './ChooseList';
import { ErrorMessage } from './ErrorMessage';
import classes from './FileDialog.module.css';
import { type Fitting, fitting, joined, steps } from './paths';
import { sizeText } from './sizes';

const ICONS = {
  folder: IconFolder,
  file: IconFile,
  link: IconFolderSymlink,
  other: IconFileUnknown,
  new: IconPlus,
  path: IconFolder,
};

interface Props {
  /** The folder that is shown first; empty: where the server was started. */
  readonly folder: string;
  readonly foldersOnly: boolean;
  readonly onChoose: (path: string) => void;
  readonly onClose: () => void;
}

/** The files of the machine that runs are executed on: walked by mouse or keys, found by typing, one is chosen. */
export default function FileDialog({ folder: first, foldersOnly, onChoose, onClose }: Props) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [query, setQuery] = useState('');
  const [hidden, setHidden] = useState(false);
  const [failed, setFailed] = useState<Error | null>(null);
  const begun = useFolder({ folder: first });
  const base = useFolder({ folder: '' });
  // A path that leads nowhere any more begins where one without a path does.
  const folder = chosen ?? (begun.error ? '' : first);
  const { data: view, error } = useFolder({ folder, hidden });
  // Of a huge folder the server tells a part: what is typed is looked for there.
  const search = view?.more ? query.trim() : '';
  const searched = useFolder({ folder: search ? folder : null, search, hidden });
  const entries = (search ? searched.data : view)?.entries;
  const ready = entries !== undefined;
  // The way out of a folder that cannot be shown is its path.
  const way = view?.folder ?? (folder.startsWith('/') ? folder : null);
  const parent = view ? view.parent : way && steps(way).at(-2)?.folder;

  /** Which question is the last one: an answer to one before it has nothing to say any more. */
  const turn = useRef(0);
  useEffect(
    () => () => {
      turn.current = -1;
    },
    [],
  );
  const open = (next: string) => {
    turn.current += 1;
    setFailed(null);
    setQuery('');
    setChosen(next);
  };
  const find = useCallback(
    (text: string): readonly Choice[] => fitting(entries ?? [], text, foldersOnly).map(choiceOf),
    [entries, foldersOnly],
  );
  const choose = async ({ key }: Choice, at: FolderView) => {
    const kind = key.slice(0, key.indexOf(' '));
    const name = key.slice(kind.length + 1);
    if (kind === 'folder') open(joined(at.folder, name));
    else if (kind === 'file' || kind === 'other' || kind === 'new') onChoose(joined(at.written, name));
    else {
      // Where a link leads, and what a typed path is, only the server can tell.
      const path = kind === 'path' ? name : joined(at.folder, name);
      turn.current += 1;
      const mine = turn.current;
      try {
        const led = await folderAt(path);
        if (mine !== turn.current) return;
        if (led !== null) open(led);
        else onChoose(kind === 'path' ? name : joined(at.written, name));
      } catch (told) {
        if (mine === turn.current) setFailed(told as Error);
      }
    }
  };
  const onKey = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter' && view) onChoose(view.written);
    else if (event.key === 'Backspace' && event.currentTarget.value === '' && parent) open(parent);
    else return;
    event.preventDefault();
    // Ctrl+Enter runs the graph elsewhere.
    event.stopPropagation();
  };
  const shown = failed ?? error ?? searched.error;
  return (
    <Modal opened onClose={onClose} size="lg" title={foldersOnly ? words.paths.chooseFolder : words.paths.chooseFile}>
      <div className={classes.dialog}>
        <Group gap={6} align="flex-start">
          <nav className={classes.way} aria-label={words.paths.path}>
            {way !== null &&
              steps(way).map((step) => (
                <Anchor
                  key={step.folder}
                  component="button"
                  type="button"
                  size="sm"
                  aria-current={step.folder === way || undefined}
                  onClick={() => open(step.folder)}
                >
                  <bdi>{step.name}</bdi>
                </Anchor>
              ))}
          </nav>
          {base.data && (
            <Group gap={6} wrap="nowrap" role="group" aria-label={words.paths.places}>
              <Button
                size="compact-xs"
                variant="default"
                leftSection={<IconHome size={13} />}
                onClick={() => open(base.data.home)}
              >
                {words.paths.home}
              </Button>
              <Button
                size="compact-xs"
                variant="default"
                leftSection={<IconServer2 size={13} />}
                onClick={() => open(base.data.start)}
              >
                {words.paths.start}
              </Button>
            </Group>
          )}
        </Group>
        {shown && <ErrorMessage title={words.paths.failed} error={shown} />}
        <ChooseList
          key={`${folder} ${hidden}`}
          label={words.paths.filter}
          placeholder={words.paths.filter}
          query={query}
          onQuery={setQuery}
          find={find}
          ready={ready}
          nothing={query.trim() ? words.paths.nothing : words.paths.empty}
          onChoose={(choice) => view && void choose(choice, view)}
          onClose={onClose}
          onKey={onKey}
        />
        {!ready && !shown && <Loader size="sm" className={classes.loading} />}
        {view?.more && (
          <Text size="xs" c="dimmed" role="status">
            {words.paths.more}
          </Text>
        )}
      </div>
      <Group justify="space-between" mt="sm" gap="xs">
        <Switch
          size="xs"
          label={words.paths.hidden}
          checked={hidden}
          onChange={(event) => setHidden(event.currentTarget.checked)}
        />
        <Group gap="xs">
          <Button variant="default" onClick={onClose}>
            {words.paths.cancel}
          </Button>
          <Button disabled={!view} onClick={() => view && onChoose(view.written)}>
            {words.paths.useFolder}
          </Button>
        </Group>
      </Group>
      <Text size="xs" c="dimmed" mt="xs" className={classes.keys}>
        <Kbd size="xs">↵</Kbd> {words.paths.keyOpen} <Kbd size="xs">⌫</Kbd> {words.paths.keyUp}{' '}
        <Kbd size="xs">Ctrl ↵</Kbd> {words.paths.keyUse}
      </Text>
    </Modal>
  );
}

function choiceOf({ kind, name, entry }: Fitting): Choice {
  const Icon = ICONS[kind];
  return {
    key: `${kind} ${name}`,
    title: kind === 'new' ? fill(words.paths.newName, { name }) : name,
    ...(kind === 'new' && { detail: words.paths.newHint }),
    ...(entry?.target && { detail: fill(words.paths.leads, { target: entry.target }) }),
    icon: <Icon size={17} className={kind === 'folder' ? classes.folder : classes.icon} aria-hidden="true" />,
    aside: entry && (
      <>
        <VisuallyHidden>{words.paths.kinds[entry.kind]}</VisuallyHidden>
        <span className={classes.size}>{typeof entry.size === 'number' ? sizeText(entry.size) : ''}</span>
        <span className={classes.time}>{entry.modified ? timeText(entry.modified) : ''}</span>
      </>
    ),
  };
}

function timeText(time: string): string {
  return new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
