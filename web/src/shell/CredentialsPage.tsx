import { Anchor, Badge, Box, Button, Center, Group, Loader, Table, Text, Title, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Schemas } from '@/api/client';
import {
  useCredentialKinds,
  useCredentials,
  useDeleteCredential,
  useMakeVault,
  useTestCredential,
} from '@/api/credentials';
import { fill, words } from '@/text/language';
import { ConfirmDialog } from '@/widgets/ConfirmDialog';
import { EmptyState } from '@/widgets/EmptyState';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { showError } from '@/widgets/showError';
import { CredentialDialog } from './credentials/CredentialDialog';

type Credential = Schemas['CredentialView'];

/** What nodes log in with: names, kinds and uses; values only go in. */
export default function CredentialsPage() {
  const found = useCredentials();
  const make = useMakeVault();
  const remove = useDeleteCredential();
  const [edited, setEdited] = useState<Credential | 'new' | null>(null);
  const [removed, setRemoved] = useState<Credential | null>(null);
  const list = found.data;
  return (
    <Box p="lg" maw={1200} mx="auto">
      <Group justify="space-between" mb={4}>
        <Title order={1} size="h2">
          {words.credentials.title}
        </Title>
        <Button leftSection={<IconPlus size={16} />} disabled={list?.vault !== 'open'} onClick={() => setEdited('new')}>
          {words.credentials.add}
        </Button>
      </Group>
      <Text c="dimmed" mb="lg">
        {words.credentials.intro}
      </Text>
      {found.isPending && (
        <Center h={200}>
          <Loader aria-label={words.shell.loading} />
        </Center>
      )}
      {found.error && <ErrorMessage title={words.home.failed} error={found.error} />}
      {list?.vault === 'locked' && <ErrorMessage title={words.credentials.locked} error={new Error(list.problem)} />}
      {list?.vault === 'absent' && (
        <EmptyState icon={<IconKey size={32} />} title={words.credentials.absent} hint={words.credentials.absentHint}>
          <Button loading={make.isPending} onClick={() => make.mutate(undefined)}>
            {words.credentials.makeVault}
          </Button>
          {make.error && <ErrorMessage title={words.home.failed} error={make.error} />}
        </EmptyState>
      )}
      {list?.vault === 'open' && list.credentials.length === 0 && (
        <EmptyState icon={<IconKey size={32} />} title={words.credentials.none} hint={words.credentials.noneHint} />
      )}
      {list && list.credentials.length > 0 && (
        <Table.ScrollContainer minWidth={720}>
          <Table highlightOnHover verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{words.credentials.name}</Table.Th>
                <Table.Th>{words.credentials.kind}</Table.Th>
                <Table.Th>{words.credentials.uses}</Table.Th>
                <Table.Th>{words.credentials.usedLast}</Table.Th>
                <Table.Th aria-label={words.credentials.actions} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.credentials.map((one) => (
                <Row
                  key={one.name}
                  credential={one}
                  open={list.vault === 'open'}
                  onEdit={() => setEdited(one)}
                  onRemove={() => setRemoved(one)}
                />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {edited && <CredentialDialog credential={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
      {removed && (
        <ConfirmDialog
          title={fill(words.credentials.removeTitle, { name: removed.name })}
          text={words.credentials.removeHint}
          action={words.credentials.remove}
          error={remove.error}
          busy={remove.isPending}
          onClose={() => setRemoved(null)}
          onConfirm={() => remove.mutate(removed.name, { onSuccess: () => setRemoved(null) })}
        />
      )}
    </Box>
  );
}

interface RowProps {
  readonly credential: Credential;
  readonly open: boolean;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
}

function Row({ credential, open, onEdit, onRemove }: RowProps) {
  const kinds = useCredentialKinds();
  const test = useTestCredential();
  const kind = kinds.data?.find((one) => one.name === credential.kind);
  const missing = credential.kind === null && !credential.in_environment;
  const tryIt = () =>
    test.mutate(credential.name, {
      onSuccess: (tried) => {
        const title =
          tried.works === null
            ? words.credentials.onlyUse
            : tried.works
              ? words.credentials.works
              : words.credentials.worksNot;
        notifications.show({ title, message: tried.message, color: tried.works === false ? 'red' : 'teal' });
      },
      onError: (error) => showError(error),
    });
  return (
    <Table.Tr>
      <Table.Td>
        <Text fw={600}>{credential.name}</Text>
        {missing && (
          <Badge color="red" variant="light" tt="none" autoContrast>
            {words.credentials.missing}
          </Badge>
        )}
        {credential.in_environment && (
          <Tooltip label={words.credentials.environmentHint}>
            <Badge color="gray" variant="light" tt="none" autoContrast>
              {words.credentials.environment}
            </Badge>
          </Tooltip>
        )}
      </Table.Td>
      <Table.Td>{kind?.title ?? credential.kind ?? ''}</Table.Td>
      <Table.Td>
        <Group gap={6}>
          {credential.graphs.length === 0 && (
            <Text size="sm" c="dimmed">
              {words.credentials.noUses}
            </Text>
          )}
          {credential.graphs.map((graph) => (
            <Anchor key={graph} component={Link} href={`/graphs/${graph}`} size="sm">
              {graph}
            </Anchor>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{credential.used ? new Date(credential.used).toLocaleString() : words.credentials.never}</Text>
      </Table.Td>
      <Table.Td>
        <Group gap={4} justify="flex-end" wrap="nowrap">
          <Button size="compact-sm" variant="subtle" onClick={tryIt} loading={test.isPending} disabled={missing}>
            {words.credentials.test}
          </Button>
          <Button size="compact-sm" variant="subtle" onClick={onEdit} disabled={!open}>
            {words.credentials.edit}
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            color="red"
            onClick={onRemove}
            disabled={!open || credential.kind === null}
          >
            {words.credentials.remove}
          </Button>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}
