import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function RunPage({ id }: { readonly id: string }) {
  return (
    <Title p="md">
      {words.shell.runs} {id}
    </Title>
  );
}
