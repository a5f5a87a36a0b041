// One session with a reference client, told on standard output as one JSON object.
//
//   node session.mjs graphql-ws|subscriptions-transport-ws '{"url": ..., "token": ..., "room": ...}'
//
// It asks, says three messages, follows them, stops following, follows what it may not, and tries a bad token. A client that
// hears something it does not understand rejects or never settles; then the process fails or is ended by who started it.

import WebSocket from 'ws';
import { createClient } from 'graphql-ws';
import { SubscriptionClient } from 'subscriptions-transport-ws';

const [library, options] = [process.argv[2], JSON.parse(process.argv[3])];
const SAY = 'mutation ($room: ID!, $text: String!) { say(roomId: $room, text: $text) { seq } }';
const ON_MESSAGE = 'subscription ($room: ID!, $after: Int) { onMessage(roomId: $room, after: $after) { seq text } }';

/** A common face: `run` gives one result, `follow` calls back for each, `ended` is how a client with a bad token ends. */
const faces = {
  'graphql-ws': (token) => {
    const client = createClient({
      url: options.url,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
      keepAlive: 50,
    });
    const pongs = { count: 0 };
    client.on('pong', (received) => { if (received) pongs.count += 1; });
    const follow = (query, variables, next, done) =>
      client.subscribe({ query, variables }, { next, error: (error) => done(error), complete: () => done(null) });
    return { follow, pongs, close: () => client.dispose() };
  },
  'subscriptions-transport-ws': (token) => {
    let refuse;
    const refusal = new Promise((resolve) => { refuse = resolve; });
    const client = new SubscriptionClient(
      options.url,
      {
        connectionParams: { authorization: `Bearer ${token}` },
        connectionCallback: (error) => { if (error) refuse(error); },
        reconnect: false,
      },
      WebSocket,
    );
    const follow = (query, variables, next, done) => {
      const running = client.request({ query, variables }).subscribe({ next, error: done, complete: () => done(null) });
      refusal.then(done);
      return () => running.unsubscribe();
    };
    return { follow, pongs: null, close: () => client.close() };
  },
};

const run = (face, query, variables) =>
  new Promise((resolve, reject) => {
    let result;
    face.follow(query, variables, (next) => { result = next; }, (error) => (error ? reject(error) : resolve(result)));
  });

const codes = (error) => (Array.isArray(error) ? error : [error]).map((each) => each.extensions?.code ?? each.code ?? each.message);

const told = {};
const face = faces[library](options.token);
const room = options.room;

told.me = (await run(face, '{ me }')).data.me;
told.invalid = await run(face, '{ nothing }').catch(codes);

told.heard = [];
let stop;
const heardAll = new Promise((resolve, reject) => {
  stop = face.follow(
    ON_MESSAGE,
    { room, after: 0 },
    (next) => { told.heard.push(next.data.onMessage); if (told.heard.length === 3) resolve(); },
    (error) => (error ? reject(error) : undefined),
  );
});
told.said = [];
for (const text of ['one', 'two', 'three']) told.said.push((await run(face, SAY, { room, text })).data.say.seq);
await heardAll;
stop();
await run(face, SAY, { room, text: 'nobody follows' });
told.me_again = (await run(face, '{ me }')).data.me;

told.missed = [];
await new Promise((resolve) => {
  const end = face.follow(
    ON_MESSAGE,
    { room, after: 2 },
    (next) => { told.missed.push(next.data.onMessage.seq); if (told.missed.length === 2) { end(); resolve(); } },
    () => {},
  );
});
told.forbidden = await run(face, ON_MESSAGE, { room: 'secret' }).catch(codes);

if (face.pongs) {
  const hold = face.follow(ON_MESSAGE, { room }, () => {}, () => {}); // the client closes a connection that it has no use for
  await new Promise((resolve) => { const wait = () => (face.pongs.count ? resolve() : setTimeout(wait, 20)); wait(); });
  hold();
  told.pongs = face.pongs.count > 0;
}
face.close();

const stranger = faces[library]('not.a.token');
told.stranger = await run(stranger, '{ me }').catch(codes);
stranger.close();

console.log(JSON.stringify(told));
process.exit(0);
