import { Text, UnstyledButton } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { hasEnded, type StepView, useRun } from '@/api/runData';
import { words } from '@/text/language';
import classes from '../panel.module.css';

const KINDS = new Set(['step.log', 'step.token', 'step.progress']);
const MOST = 500;

/** What a step has said: its log, and the text that it streams. */
export function StepTalk({ run, step }: { readonly run: string; readonly step: StepView }) {
  const [open, setOpen] = useState(false);
  return (
    <div className={classes.talk}>
      <UnstyledButton className={classes.talkHead} aria-expanded={open} onClick={() => setOpen(!open)}>
        <IconChevronRight size={14} style={{ transform: open ? 'rotate(90deg)' : undefined }} />
        <Text size="xs">{words.panel.logs}</Text>
      </UnstyledButton>
      {open && <Talk run={run} step={step.step} />}
    </div>
  );
}

function Talk({ run, step }: { readonly run: string; readonly step: string }) {
  const { data: details } = useRun(run);
  const alive = details !== undefined && !hasEnded(details.status);
  const { data } = useQuery({
    queryKey: ['step-talk', run, step],
    queryFn: async ({ signal }) => {
      const lines: { key: number; token: boolean; text: string }[] = [];
      for (let after = 0; ; ) {
        const params = { path: { run_id: run }, query: { after, limit: 1000 } };
        const page = (await ask(
          client.GET('/api/v1/runs/{run_id}/events', { params, signal }),
        )) as Schemas['EventPage'];
        for (const event of page.events) {
          if (event.step !== step || !KINDS.has(event.kind)) continue;
          const text = String(event.data.text ?? event.data.message ?? '');
          const last = lines.at(-1);
          if (event.kind === 'step.token' && last?.token) last.text += text;
          else lines.push({ key: event.cursor, token: event.kind === 'step.token', text });
        }
        if (page.events.length === 0 || page.next === after) break;
        after = page.next;
      }
      return lines.slice(-MOST);
    },
    refetchInterval: alive ? 1_500 : false,
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls.
    <div className={classes.talkLines} role="log" aria-label={words.panel.logs} tabIndex={0}>
      {data?.length === 0 && <Text c="dimmed">{words.panel.noLogs}</Text>}
      {data?.map((line) => (
        <div key={line.key}>{line.text}</div>
      ))}
    </div>
  );
}
