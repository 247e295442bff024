import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function CredentialsPage() {
  return <Title p="md">{words.shell.credentials}</Title>;
}
