import {
  ActionIcon,
  Button,
  Checkbox,
  CopyButton,
  Group,
  Modal,
  Select,
  Stack,
  Text,
  TextInput,
  Tooltip,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconFileExport, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { when } from '../format';
import { tellError } from '../requests';

const texts = words.runs.share;
const HOUR = 3600;
const TIMES = [
  { value: String(HOUR), label: texts.hour },
  { value: String(24 * HOUR), label: texts.day },
  { value: String(7 * 24 * HOUR), label: texts.week },
  { value: String(30 * 24 * HOUR), label: texts.month },
];

/** Gives a run away: links by which anybody may look at it, or one file. */
export default function ShareDialog({ run, onClose }: { readonly run: string; readonly onClose: () => void }) {
  const [seconds, setSeconds] = useState(String(7 * 24 * HOUR));
  const [data, setData] = useState(true);
  const queries = useQueryClient();
  const params = { params: { path: { run_id: run } } };
  const links = useQuery({
    queryKey: ['shared', run],
    queryFn: ({ signal }) => ask(client.GET('/api/v1/runs/{run_id}/share', { ...params, signal })),
  });
  const again = () => queries.invalidateQueries({ queryKey: ['shared', run] });
  const make = useMutation({
    mutationFn: () =>
      ask(client.POST('/api/v1/runs/{run_id}/share', { ...params, body: { expires_in: Number(seconds), data } })),
    onSuccess: again,
    onError: tellError,
  });
  const revoke = useMutation({
    mutationFn: (id: string) =>
      ask(client.DELETE('/api/v1/runs/{run_id}/share', { params: { path: { run_id: run }, query: { id } } })),
    onSuccess: () => {
      notifications.show({ message: texts.revoked });
      return again();
    },
    onError: tellError,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const found = links.data?.links ?? [];
  return (
    <Modal opened onClose={onClose} title={texts.title} size="lg">
      <Stack gap="md">
        <Text size="sm">{texts.about}</Text>
        <form onSubmit={submit}>
          <Group align="flex-end">
            <Select
              label={texts.expires}
              data={TIMES}
              value={seconds}
              allowDeselect={false}
              onChange={(value) => setSeconds(value ?? seconds)}
            />
            <Checkbox
              label={texts.data}
              checked={data}
              pb={8}
              onChange={(event) => setData(event.currentTarget.checked)}
            />
            <Button type="submit" loading={make.isPending}>
              {texts.make}
            </Button>
          </Group>
        </form>
        {links.error && <ErrorMessage title={texts.failed} error={links.error} />}
        {found.length > 0 && (
          <section aria-label={texts.links}>
            <Text size="sm" fw={600} mb={4}>
              {texts.links}
            </Text>
            <Stack gap="xs">
              {found.map((link) => (
                <SharedLink key={link.id} link={link} onRevoke={() => revoke.mutate(link.id)} />
              ))}
            </Stack>
          </section>
        )}
        <Group>
          <Button
            component="a"
            href={`/api/v1/runs/${run}/html?data=${data}`}
            download
            variant="default"
            leftSection={<IconFileExport size={16} />}
          >
            {texts.file}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function SharedLink({ link, onRevoke }: { readonly link: Schemas['SharedRun']; readonly onRevoke: () => void }) {
  const address = `${location.origin}${link.path}`;
  return (
    <Group gap="xs" wrap="nowrap">
      <TextInput
        flex={1}
        readOnly
        size="xs"
        aria-label={texts.link}
        description={fill(texts.until, { time: when(link.expires_at) })}
        inputWrapperOrder={['label', 'input', 'description']}
        value={address}
        onFocus={(event) => event.currentTarget.select()}
      />
      <CopyButton value={address}>
        {({ copied, copy }) => (
          <Button size="xs" variant="default" onClick={copy} mb={20}>
            {copied ? texts.copied : texts.copy}
          </Button>
        )}
      </CopyButton>
      <Tooltip label={texts.revoke}>
        <ActionIcon variant="default" color="red" size={30} mb={20} aria-label={texts.revoke} onClick={onRevoke}>
          <IconTrash size={16} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
