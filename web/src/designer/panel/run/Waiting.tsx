import { Alert, Button, Group, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, client } from '@/api/client';
import type { StepView } from '@/api/runData';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { readJson } from '../form/JsonControl';

/** A step that waits for a person, to be answered in place. */
export function Waiting({ run, step }: { readonly run: string; readonly step: StepView }) {
  const wait = (step.wait ?? {}) as { kind?: string; title?: string; message?: string };
  const approval = wait.kind === 'approve' || wait.kind === 'approval';
  const queries = useQueryClient();
  const [text, setText] = useState('');
  const path = { path: { run_id: run } };
  const answer = useMutation({
    mutationFn: async (approved: boolean | null) => {
      if (approved !== null) {
        const body = { step: step.step, approved, comment: text };
        await ask(client.POST('/api/v1/runs/{run_id}/approve', { params: path, body }));
      } else {
        const body = { step: step.step, value: readJson(text).value ?? null };
        await ask(client.POST('/api/v1/runs/{run_id}/answer', { params: path, body }));
      }
      await queries.invalidateQueries({ queryKey: ['run', run] });
    },
  });
  const bad = !approval && readJson(text).error !== '';
  return (
    <Alert color="yellow" title={wait.title ?? words.panel.waitsFor} m={8} mb={0}>
      {wait.message && (
        <Text size="sm" style={{ whiteSpace: 'pre-wrap' }}>
          {wait.message}
        </Text>
      )}
      <Textarea
        mt="xs"
        autosize
        maxRows={10}
        label={approval ? words.panel.comment : words.panel.answerJson}
        error={bad}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Group mt="xs">
        {approval ? (
          <>
            <Button size="xs" color="teal" loading={answer.isPending} onClick={() => answer.mutate(true)}>
              {words.panel.approve}
            </Button>
            <Button size="xs" variant="default" loading={answer.isPending} onClick={() => answer.mutate(false)}>
              {words.panel.reject}
            </Button>
          </>
        ) : (
          <Button
            size="xs"
            disabled={bad || text.trim() === ''}
            loading={answer.isPending}
            onClick={() => answer.mutate(null)}
          >
            {words.panel.answer}
          </Button>
        )}
      </Group>
      {answer.error && <ErrorMessage title={words.panel.waitsFor} error={answer.error} />}
    </Alert>
  );
}
