import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function GraphPage({ id }: { readonly id: string }) {
  return (
    <Title p="md">
      {words.shell.graphs} {id}
    </Title>
  );
}
