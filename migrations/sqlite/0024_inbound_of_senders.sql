-- Whether the messages to a sender arrive is read before free text of the API is sent.
CREATE INDEX inbound_sender ON inbound (sub_account, channel, received);
