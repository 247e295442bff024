import { ActionIcon, Button, Group, Menu, Modal, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconCopy,
  IconDots,
  IconFileExport,
  IconGitCompare,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconReportAnalytics,
  IconShare,
  IconTopologyStar3,
  IconTrash,
} from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { words } from '@/text/language';
import { ENDED, type RunDetails, type RunStatus } from './fold';
import { cancelRun, deleteRun, pauseRun, resumeRun, tell } from './requests';

const ShareDialog = lazy(() => import('./share/ShareDialog'));
const texts = words.runs.actions;

/** What can be done with a run as it stands. */
export function RunActions({ details, status }: { readonly details: RunDetails; readonly status: RunStatus }) {
  const [busy, setBusy] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [sharing, setSharing] = useState(false);
  const [, go] = useLocation();
  const { id } = details;
  const ended = ENDED.has(status);

  const request = (make: (run: string) => Promise<unknown>, said: string) => async () => {
    setBusy(true);
    await tell(id, () => make(id), said);
    setBusy(false);
  };
  const remove = async () => {
    setDeleting(false);
    if (await tell(id, () => deleteRun(id), texts.deleted)) go('/runs');
  };

  return (
    <Group gap="xs" wrap="wrap">
      {details.report && (
        <Button
          component="a"
          href={details.report}
          target="_blank"
          rel="noopener"
          size="xs"
          leftSection={<IconReportAnalytics size={16} />}
        >
          {texts.report}
        </Button>
      )}
      {(status === 'failed' || status === 'cancelled') && (
        <Button
          size="xs"
          leftSection={<IconPlayerPlay size={16} />}
          loading={busy}
          onClick={request(resumeRun, texts.resumed)}
        >
          {texts.retry}
        </Button>
      )}
      {status === 'paused' && (
        <Button
          size="xs"
          leftSection={<IconPlayerPlay size={16} />}
          loading={busy}
          onClick={request(resumeRun, texts.resumed)}
        >
          {texts.resume}
        </Button>
      )}
      {!ended && status !== 'paused' && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlayerPause size={16} />}
          disabled={busy}
          onClick={request(pauseRun, texts.paused)}
        >
          {texts.pause}
        </Button>
      )}
      {!ended && (
        <Button
          size="xs"
          variant="outline"
          color="red.9"
          leftSection={<IconPlayerStop size={16} />}
          disabled={busy}
          onClick={request(cancelRun, texts.cancelled)}
        >
          {texts.cancel}
        </Button>
      )}
      <Button
        size="xs"
        variant="default"
        component={Link}
        href={`/graphs/${details.graph}`}
        leftSection={<IconTopologyStar3 size={16} />}
      >
        {texts.graph}
      </Button>
      <Button size="xs" variant="default" leftSection={<IconShare size={16} />} onClick={() => setSharing(true)}>
        {texts.share}
      </Button>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label={texts.more}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconFileExport size={16} />} component="a" href={`/api/v1/runs/${id}/html`} download>
            {texts.html}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconFileExport size={16} />}
            component="a"
            href={`/api/v1/runs/${id}/file?children=true`}
            download
          >
            {texts.file}
          </Menu.Item>
          {details.forked_from && (
            <Menu.Item
              leftSection={<IconGitCompare size={16} />}
              onClick={() => go(`/runs/${details.forked_from}/compare/${id}`)}
            >
              {texts.compare}
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<IconCopy size={16} />}
            onClick={() => {
              void navigator.clipboard
                .writeText(id)
                .then(() => notifications.show({ message: words.runs.step.copied }));
            }}
          >
            {texts.copyId}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} />}
            disabled={!ended}
            onClick={() => setDeleting(true)}
          >
            {texts.delete}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {sharing && (
        <Suspense>
          <ShareDialog run={id} onClose={() => setSharing(false)} />
        </Suspense>
      )}
      <Modal opened={deleting} onClose={() => setDeleting(false)} title={texts.deleteTitle}>
        <Text size="sm">{texts.deleteAbout}</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={() => setDeleting(false)} data-autofocus>
            {texts.keep}
          </Button>
          <Button color="red.9" onClick={() => void remove()}>
            {texts.delete}
          </Button>
        </Group>
      </Modal>
    </Group>
  );
}
