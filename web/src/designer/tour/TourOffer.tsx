import { Button, Group, Paper, Text } from '@mantine/core';
import { words } from '@/text/language';
import { endTour, useTour } from './state';
import { useBeginTour } from './useBeginTour';

/** Offers the tour to who has not seen it. */
export function TourOffer() {
  const seen = useTour((state) => state.seen);
  const { begin, busy } = useBeginTour();
  if (seen) return null;
  return (
    <Paper withBorder p="md" mb="lg" component="section" aria-label={words.tour.title}>
      <Group justify="space-between">
        <div>
          <Text fw={600}>{words.tour.offer}</Text>
          <Text size="sm" c="dimmed">
            {words.tour.offerHint}
          </Text>
        </div>
        <Group gap="xs">
          <Button variant="subtle" onClick={endTour}>
            {words.tour.decline}
          </Button>
          <Button loading={busy} onClick={begin}>
            {words.tour.begin}
          </Button>
        </Group>
      </Group>
    </Paper>
  );
}
