import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function NodesPage({ use }: { readonly use: string | undefined }) {
  return (
    <Title p="md">
      {words.shell.nodes} {use}
    </Title>
  );
}
