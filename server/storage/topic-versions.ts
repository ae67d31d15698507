import type { ChangeTopic } from './changes.ts';

export interface TopicVersion {
  readonly topic: string;
  /** Grows with each change, from 1. */
  readonly version: bigint;
}

/** What a replica has heard of, and who wants to hear more. */
export interface TopicVersions {
  readonly on: (topic: ChangeTopic, listener: () => void) => void;
  /** Takes the versions as known without telling anybody. */
  readonly begin: (versions: readonly TopicVersion[]) => void;
  /** Tells the listeners of the topic, unless this version or a later one was heard of before. */
  readonly advance: (topic: string, version: bigint) => void;
  /** Takes the versions as they are and tells every listener: a restored backup has counters that went back. */
  readonly reset: (versions: readonly TopicVersion[]) => void;
}

/** A listener that throws does not keep the others from hearing; `report` gets what it threw. */
export function createTopicVersions(report: (error: unknown) => void): TopicVersions {
  const listeners = new Map<string, readonly (() => void)[]>();
  const heard = new Map<string, bigint>();

  const tell = (topic: string): void => {
    for (const listener of listeners.get(topic) ?? []) {
      try {
        listener();
      } catch (error) {
        report(error);
      }
    }
  };
  const begin = (versions: readonly TopicVersion[]): void => {
    heard.clear();
    for (const { topic, version } of versions) heard.set(topic, version);
  };

  return {
    on: (topic, listener) => {
      listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
    },
    begin,
    advance: (topic, version) => {
      if (version <= (heard.get(topic) ?? 0n)) return;
      heard.set(topic, version);
      tell(topic);
    },
    reset: (versions) => {
      begin(versions);
      for (const topic of listeners.keys()) tell(topic);
    },
  };
}
