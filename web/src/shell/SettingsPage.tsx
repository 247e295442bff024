import {
  Anchor,
  Badge,
  Box,
  Button,
  Card,
  Group,
  SegmentedControl,
  Stack,
  Text,
  Title,
  useMantineColorScheme,
} from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from '@/api/client';
import { useBeginTour } from '@/designer/tour/useBeginTour';
import { words } from '@/text/language';
import { showDone, showError } from '@/widgets/showError';
import { Ticked } from '@/widgets/Ticked';

/** How the page looks, how its server stands, and how others get in. */
export default function SettingsPage() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Box p="lg" maw={800} mx="auto">
      <Title order={1} size="h2" mb="lg">
        {words.settings.title}
      </Title>
      <Stack>
        <Card withBorder component="section" aria-label={words.settings.appearance}>
          <Group justify="space-between">
            <Text>{words.settings.theme}</Text>
            <SegmentedControl
              aria-label={words.settings.theme}
              value={colorScheme}
              onChange={(value) => setColorScheme(value as 'auto' | 'light' | 'dark')}
              data={[
                { value: 'auto', label: words.settings.auto },
                { value: 'light', label: words.settings.light },
                { value: 'dark', label: words.settings.dark },
              ]}
            />
          </Group>
        </Card>
        <TourCard />
        <ServerCard />
        <AccessCard />
      </Stack>
    </Box>
  );
}

function TourCard() {
  const { begin, busy } = useBeginTour();
  return (
    <Card withBorder component="section" aria-label={words.tour.title}>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {words.tour.restartHint}
        </Text>
        <Button variant="default" loading={busy} onClick={begin}>
          {words.tour.restart}
        </Button>
      </Group>
    </Card>
  );
}

function ServerCard() {
  const live = useQuery({ queryKey: ['healthz'], queryFn: () => ask(client.GET('/healthz')), refetchInterval: 10_000 });
  const ready = useQuery({ queryKey: ['readyz'], queryFn: readiness, refetchInterval: 10_000 });
  return (
    <Card withBorder component="section" aria-label={words.settings.server}>
      <Stack gap="xs">
        <Title order={2} size="h4">
          {words.settings.server}
        </Title>
        <Group justify="space-between">
          <Text>{words.settings.version}</Text>
          <Text>{live.data?.version}</Text>
        </Group>
        {ready.data?.checks.map((check) => (
          <Group key={check.name} justify="space-between">
            <Text>{words.settings.check[check.name]}</Text>
            <Badge color={check.ok ? 'teal' : 'red'} variant="light" tt="none" autoContrast>
              {check.ok ? words.settings.ready : check.reason || words.settings.notReady}
            </Badge>
          </Group>
        ))}
        <Group>
          <Anchor href="/api/v1/openapi.json" size="sm">
            {words.settings.api}
          </Anchor>
          <Anchor href="/metrics" size="sm">
            {words.settings.metrics}
          </Anchor>
        </Group>
      </Stack>
    </Card>
  );
}

/** What the server says of itself; 503 is an answer, too. */
async function readiness(): Promise<Schemas['Ready'] | null> {
  const { data, error } = await client.GET('/readyz');
  return data ?? (error as Schemas['Ready'] | undefined) ?? null;
}

function AccessCard() {
  const copy = async () => {
    const link = await ask(client.POST('/api/v1/links'));
    await navigator.clipboard.writeText(new URL(link.path, window.location.href).href);
    showDone(words.settings.linkCopied);
  };
  return (
    <Card withBorder component="section" aria-label={words.settings.access}>
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" c="dimmed">
          <Ticked>{words.settings.accessHint}</Ticked>
        </Text>
        <Button variant="default" onClick={() => void copy().catch(showError)} style={{ flex: 'none' }}>
          {words.settings.link}
        </Button>
      </Group>
    </Card>
  );
}
