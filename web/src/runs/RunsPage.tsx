import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function RunsPage() {
  return <Title p="md">{words.shell.runs}</Title>;
}
