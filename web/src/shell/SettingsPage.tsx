import { Title } from '@mantine/core';
import { words } from '@/text/language';

export default function SettingsPage() {
  return <Title p="md">{words.shell.settings}</Title>;
}
