import { json, type Script, type ScriptedReply } from './scripted-server.ts';

/** How a service answers: as it should, with a status, or badly. */
export type FakeKmsMood = 'well' | 'hangs' | 'breaks' | 'garbage' | 'empty' | 'huge' | 'redirect' | number;

export interface Moods {
  /** For all requests from now on, or for so many. */
  set(mood: FakeKmsMood, times?: number): void;
  /** The script, when the mood lets it. */
  readonly script: Script;
}

export function createMoods(script: Script): Moods {
  let mood: FakeKmsMood = 'well';
  let left = Number.POSITIVE_INFINITY;
  return {
    set(next, times = Number.POSITIVE_INFINITY) {
      mood = next;
      left = times;
    },
    async script(request, count) {
      const now = left-- > 0 ? mood : 'well';
      return now === 'well' ? await script(request, count) : misbehave(now);
    },
  };
}

function misbehave(mood: Exclude<FakeKmsMood, 'well'>): ScriptedReply {
  switch (mood) {
    case 'hangs':
      return { hangs: true };
    case 'breaks':
      return { breaks: true };
    case 'garbage':
      return { body: '<html>maintenance</html>' };
    case 'empty':
      return json({});
    case 'huge':
      return { body: new Uint8Array(2 << 20) };
    case 'redirect':
      return { status: 307, headers: { location: 'http://127.0.0.1:9/' } };
    default:
      return json({ errors: ['what the service says may repeat a secret'] }, mood);
  }
}
