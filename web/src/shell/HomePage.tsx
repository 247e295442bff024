import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function HomePage() {
  return <Title p="md">{words.shell.graphs}</Title>;
}
