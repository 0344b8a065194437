/*
 * The program that container runtimes start: it carries one CNI call to the daemon and back.
 *
 * It sends its environment's CNI variables and its standard input, as they are, over a unix socket in one
 * framed message, prints the text of the framed reply and exits with the reply's status.  All of the CNI
 * specification's logic is in the daemon.  What is done here is what must be done without a daemon: say that
 * it cannot be reached, and record a deletion durably so that it is not lost.
 *
 * Request: "wip1", u32 bytes of environment, u32 bytes of input; then K=V strings, each ended by NUL; then
 * the input.  Reply: "wip1", u32 status, u32 bytes of text; then the text.  Integers are big-endian.
 *
 * The socket is the value of the key "socket" in the input (from the key "ipam" on, if that is there), else
 * $WEAVEIPAM_CNI_SOCKET, else /run/weaveipam/cni.sock.  $WEAVEIPAM_CNI_TIMEOUT_MS, 1 to 10000, shortens the
 * time after which it gives up; tests use it.
 *
 * POSIX only, no memory from the heap, no JSON parser.
 * Does not know what a network configuration means.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/weaveipam/cni.sock"
#define DEFAULT_VERSION "1.0.0"
#define NEWEST_VERSION "1.1.0"
#define SUPPORTED_VERSIONS "\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""

enum {
    HEAD_BYTES = 12,
    ENVIRON_BYTES_MAX = 64 << 10,
    INPUT_BYTES_MAX = 1 << 20,
    REPLY_BYTES_MAX = 1 << 20,
    VERSION_BYTES_MAX = 32,
    SOCKET_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path),
    PATH_BYTES = SOCKET_BYTES + 64, /* of a file in the spool */
    MESSAGE_BYTES = 1024,

    TIMEOUT_MS = 10000,
    PATIENCE_MS = 2000, /* of verbs that a runtime calls again by itself */
    PAUSE_MS = 50,      /* between two attempts to connect */

    /* Codes of errors: the specification's, section 5. */
    BAD_ENVIRONMENT = 4,
    IO_FAILURE = 5,
    BAD_CONFIG = 7,
    TRY_LATER = 11,
    NOT_AVAILABLE = 50,

    /* The reply's status that means: nothing was done, ask again.  Above every exit status. */
    AGAIN = 256,
};

enum verb { ADD, DEL, CHECK, GC, STATUS, VERSION, UNKNOWN };

static const char *const VERBS[] = {"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"};

extern char **environ;

/* The request as it is sent and spooled: head, environment, input.  One byte more shows too long an input. */
static char request[HEAD_BYTES + ENVIRON_BYTES_MAX + INPUT_BYTES_MAX + 1];
static size_t environ_bytes, input_bytes;
static char reply[REPLY_BYTES_MAX];
static char socket_path[SOCKET_BYTES];
static char version[VERSION_BYTES_MAX + 1];
static int64_t deadline_ms;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Whether a descriptor became ready before the deadline; errno is ETIMEDOUT when that came first. */
static int ready(int fd, short events)
{
    for (;;) {
        int64_t left_ms = deadline_ms - now_ms();
        struct pollfd one = {.fd = fd, .events = events};
        int count = poll(&one, 1, left_ms < 0 ? 0 : (int)left_ms);
        if (count > 0)
            return 1; /* also for errors: the call that follows finds out which */
        if (count == 0) {
            errno = ETIMEDOUT;
            return 0;
        }
        if (errno != EINTR && errno != EAGAIN)
            return 0;
    }
}

/* Whether all of the bytes were written to a file or to standard output. */
static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done > 0) {
            bytes += done;
            size -= (size_t)done;
        } else if (done == 0) {
            errno = EIO;
            return 0;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!ready(fd, POLLOUT))
                return 0;
        } else if (errno != EINTR) {
            return 0;
        }
    }
    return 1;
}

/* Prints an error as the specification wants it; the exit status. */
static int fail(int code, const char *details, const char *format, ...)
{
    static char message[MESSAGE_BYTES], text[MESSAGE_BYTES * 3];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *c = message; *c != '\0'; c++) /* a path may hold anything; JSON may not */
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    int size = snprintf(text, sizeof text,
                        "{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"%s\",\"details\":\"%s\"}\n",
                        version[0] ? version : DEFAULT_VERSION, code, message, details);
    write_all(STDOUT_FILENO, text, (size_t)size);
    return EXIT_FAILURE;
}

static void put_u32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

/* ---- what the call is ---- */

static enum verb verb_of(const char *command)
{
    int verb = 0;
    while (verb < UNKNOWN && strcmp(command, VERBS[verb]) != 0)
        verb++;
    return (enum verb)verb;
}

static int64_t timeout_ms(enum verb verb)
{
    const long longest = verb == VERSION ? PATIENCE_MS : TIMEOUT_MS;
    const char *text = getenv("WEAVEIPAM_CNI_TIMEOUT_MS");
    char *end;
    long value = text == NULL ? 0 : strtol(text, &end, 10);
    return value > 0 && *end == '\0' && value < longest ? value : longest;
}

/* Whether a variable was added to the request's environment. */
static int add_variable(const char *variable)
{
    size_t size = strlen(variable) + 1;
    if (size > ENVIRON_BYTES_MAX - environ_bytes)
        return 0;
    memcpy(request + HEAD_BYTES + environ_bytes, variable, size);
    environ_bytes += size;
    return 1;
}

/* Whether the container's network namespace is the one that this program runs in: the host's. */
static int is_own_namespace(const char *path)
{
    struct stat theirs, ours;
    if (path == NULL || stat(path, &theirs) != 0 || stat("/proc/self/ns/net", &ours) != 0)
        return 0;
    return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* Whether the environment fitted into the request: the CNI variables, and what only this program can know. */
static int gather_environment(void)
{
    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, "CNI_", 4) == 0 && !add_variable(*variable))
            return 0;
    return !is_own_namespace(getenv("CNI_NETNS")) || add_variable("WEAVEIPAM_NETNS=host");
}

/* Whether standard input was read to its end; errno is EFBIG when it is too long. */
static int gather_input(void)
{
    char *input = request + HEAD_BYTES + environ_bytes;
    for (;;) {
        if (!ready(STDIN_FILENO, POLLIN))
            return 0;
        ssize_t count = read(STDIN_FILENO, input + input_bytes, INPUT_BYTES_MAX + 1 - input_bytes);
        if (count == 0)
            return 1;
        if (count < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return 0;
        if (count > 0)
            input_bytes += (size_t)count;
        if (input_bytes > INPUT_BYTES_MAX) {
            errno = EFBIG;
            return 0;
        }
    }
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Where the value of the first "key": in [at, end) starts; NULL if there is none. */
static const char *find_value(const char *at, const char *end, const char *quoted_key)
{
    size_t size = strlen(quoted_key);
    for (; (size_t)(end - at) >= size; at++) {
        if (memcmp(at, quoted_key, size) != 0)
            continue;
        const char *colon = skip_space(at + size, end);
        if (colon < end && *colon == ':')
            return skip_space(colon + 1, end);
    }
    return NULL;
}

/*
 * 1 if the value is a string that was copied out, 0 if it is empty or no string, -1 if it cannot be copied:
 * it is too long, or has control characters or other escapes than those of a quote, a backslash and a slash.
 */
static int copy_string(const char *at, const char *end, char *to, size_t room)
{
    size_t size = 0;
    if (at == NULL || at >= end || *at++ != '"')
        return 0;
    for (; at < end && *at != '"'; at++) {
        if (*at == '\\' && (++at >= end || (*at != '"' && *at != '\\' && *at != '/')))
            return -1;
        if ((unsigned char)*at < ' ' || size == room - 1)
            return -1;
        to[size++] = *at;
    }
    to[size] = '\0';
    return at < end && size > 0;
}

/* Finds the version that errors are told in; an unlikely one is left alone. */
static void scan_version(const char *input, const char *end)
{
    static const char LIKELY[] = "0123456789.+-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *value = find_value(input, end, "\"cniVersion\"");
    if (copy_string(value, end, version, sizeof version) != 1 ||
        version[strspn(version, LIKELY)] != '\0')
        version[0] = '\0';
}

/* Whether the socket's path was found, and is one that a socket can have. */
static int scan_socket(const char *input, const char *end)
{
    const char *ipam = find_value(input, end, "\"ipam\"");
    const char *value = find_value(ipam == NULL ? input : ipam, end, "\"socket\"");
    int found = copy_string(value, end, socket_path, sizeof socket_path);
    if (found != 0)
        return found == 1;
    const char *path = getenv("WEAVEIPAM_CNI_SOCKET");
    if (path == NULL || path[0] == '\0')
        path = DEFAULT_SOCKET;
    if (strlen(path) >= sizeof socket_path)
        return 0;
    strcpy(socket_path, path);
    return 1;
}

/* ---- the call ---- */

static int connect_to_daemon(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    /* Not blocking, so that a daemon whose queue is full cannot hold this program beyond its time. */
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int send_request(int fd, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t count = send(fd, request + sent, size - sent, MSG_NOSIGNAL);
        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!ready(fd, POLLOUT))
                return 0;
        } else if (errno != EINTR)
            return 0;
    }
    return 1;
}

static int receive(int fd, char *to, size_t size)
{
    for (size_t received = 0; received < size;) {
        if (!ready(fd, POLLIN))
            return 0;
        ssize_t count = recv(fd, to + received, size - received, 0);
        if (count > 0)
            received += (size_t)count;
        else if (count == 0) {
            errno = ECONNRESET;
            return 0;
        } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return 0;
    }
    return 1;
}

/* One attempt: the reply's status and its text in `reply`; or -1 and errno. */
static int exchange(size_t *reply_bytes)
{
    char head[HEAD_BYTES];
    int status = -1, fd = connect_to_daemon();
    if (fd < 0)
        return -1;
    /* A daemon that is too busy answers without reading: its reply is there though sending failed. */
    int sent = send_request(fd, HEAD_BYTES + environ_bytes + input_bytes);
    int error = errno;
    if ((sent || error == EPIPE || error == ECONNRESET) && receive(fd, head, sizeof head)) {
        uint32_t told = get_u32(head + 4), size = get_u32(head + 8);
        errno = EPROTO;
        if (memcmp(head, "wip1", 4) == 0 && told <= AGAIN && size <= sizeof reply &&
            receive(fd, reply, size)) {
            *reply_bytes = size;
            status = (int)told;
        }
    } else if (!sent) {
        errno = error;
    }
    error = errno;
    close(fd);
    errno = status == AGAIN ? EBUSY : error;
    return status == AGAIN ? -1 : status;
}

/* ---- deletions that the daemon was not there for ---- */

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int done = fsync(fd) == 0 || errno == EINVAL; /* some file systems cannot, and have no need */
    close(fd);
    return done;
}

/* Whether a directory is there now, made durably with those above it if it was not. */
static int make_directories(char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != ENOENT)
        return errno == EEXIST;
    struct stat made;
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return stat(path, &made) == 0 || mkdir(path, mode) == 0;
    *slash = '\0';
    int done = stat(path, &made) == 0 || make_directories(path, 0755);
    *slash = '/';
    if (!done || (mkdir(path, mode) != 0 && errno != EEXIST))
        return 0;
    *slash = '\0';
    done = sync_directory(path);
    *slash = '/';
    return done;
}

/* Whether the request is on stable storage under a name that sorts by time. */
static int spool(void)
{
    static char directory[PATH_BYTES], draft[PATH_BYTES + 64], final[PATH_BYTES + 64];
    const char *slash = strrchr(socket_path, '/');
    int size = slash == NULL ? 1 : (int)(slash - socket_path);
    snprintf(directory, sizeof directory, "%.*s/spool", size, slash == NULL ? "." : socket_path);
    if (!make_directories(directory, 0700))
        return 0;

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned long long ns = (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
    snprintf(draft, sizeof draft, "%s/%020llu-%ld.tmp", directory, ns, (long)getpid());
    snprintf(final, sizeof final, "%s/%020llu-%ld.del", directory, ns, (long)getpid());
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    int done = write_all(fd, request, HEAD_BYTES + environ_bytes + input_bytes) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) == 0 && done && rename(draft, final) == 0)
        return sync_directory(directory);
    error = done ? errno : error;
    unlink(draft);
    errno = error;
    return 0;
}

/* ---- what to do with the outcome ---- */

static int print_versions(void)
{
    char text[256];
    int size = snprintf(text, sizeof text,
                        "{\"cniVersion\":\"%s\",\"supportedVersions\":[" SUPPORTED_VERSIONS "]}\n",
                        version[0] ? version : NEWEST_VERSION);
    return write_all(STDOUT_FILENO, text, (size_t)size) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What a call comes to that the daemon did not answer, errno saying why not; the exit status. */
static int without_daemon(enum verb verb, const char *command)
{
    static const char *const MEND = "see that weaveipam agent runs on this node, then try again";
    int error = errno;
    switch (verb) {
    case VERSION:
        return print_versions();
    case DEL:
        if (spool())
            return EXIT_SUCCESS;
        return fail(TRY_LATER, "make room or mend the directory, then try again",
                    "the daemon is away, and the deletion could not be recorded in spool beside %s: %s",
                    socket_path, strerror(errno));
    case STATUS:
        return fail(NOT_AVAILABLE, MEND, "the daemon cannot be reached at %s: %s", socket_path,
                    strerror(error));
    case UNKNOWN:
        return fail(BAD_ENVIRONMENT, "one of ADD, DEL, CHECK, GC, STATUS, VERSION",
                    "CNI_COMMAND=%s is no verb", command);
    default:
        return fail(TRY_LATER, MEND, "the daemon did not answer at %s: %s", socket_path, strerror(error));
    }
}

/* How long it is worth trying again after an error. */
static int64_t patience_ms(enum verb verb, int error)
{
    switch (verb) {
    case ADD:
        return TIMEOUT_MS;
    case CHECK:
    case GC:
        return PATIENCE_MS;
    case STATUS: /* a daemon that is only busy can serve an ADD, which waits longer */
        return error == EBUSY || error == EAGAIN ? PATIENCE_MS : 0;
    default:
        return 0;
    }
}

static int call(enum verb verb, const char *command)
{
    int64_t started_ms = now_ms();
    for (;;) {
        size_t size = 0;
        int status = exchange(&size);
        if (status >= 0)
            return write_all(STDOUT_FILENO, reply, size) ? status : EXIT_FAILURE;
        int error = errno;
        int64_t next_ms = now_ms() + PAUSE_MS;
        if (next_ms >= deadline_ms || next_ms >= started_ms + patience_ms(verb, error)) {
            errno = error;
            return without_daemon(verb, command);
        }
        pause_ms(PAUSE_MS);
    }
}

/* Whether standard input was there at all.  Closed standard descriptors would be given to the socket. */
static int hold_standard_descriptors(void)
{
    int input = fcntl(STDIN_FILENO, F_GETFD) != -1;
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return input;
}

int main(void)
{
    const char *command = getenv("CNI_COMMAND");
    int input_given = hold_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    if (command == NULL || command[0] == '\0') {
        fputs("weaveipam: CNI plugin for IP address management, started by container runtimes\n"
              "CNI protocol versions supported: 0.3.1, 0.4.0, 1.0.0, 1.1.0\n",
              stderr);
        return EXIT_SUCCESS;
    }
    enum verb verb = verb_of(command);
    deadline_ms = now_ms() + timeout_ms(verb);

    if (!gather_environment())
        return fail(BAD_ENVIRONMENT, "shorten CNI_ARGS or CNI_PATH", "the CNI_ variables exceed %d bytes",
                    ENVIRON_BYTES_MAX);
    /* VERSION must not need any input; what there is may name a version and a socket. */
    errno = EBADF;
    if ((!input_given || !gather_input()) && verb != VERSION)
        return fail(IO_FAILURE, "the runtime must send the network configuration", "standard input: %s",
                    errno == EFBIG ? "more than 1 MiB" : strerror(errno));
    if (input_bytes > INPUT_BYTES_MAX)
        input_bytes = 0;

    const char *input = request + HEAD_BYTES + environ_bytes;
    scan_version(input, input + input_bytes);
    if (!scan_socket(input, input + input_bytes))
        return fail(BAD_CONFIG, "correct ipam.socket or WEAVEIPAM_CNI_SOCKET",
                    "the socket's path exceeds %d bytes, or has characters that JSON must escape",
                    SOCKET_BYTES - 1);
    memcpy(request, "wip1", 4);
    put_u32(request + 4, (uint32_t)environ_bytes);
    put_u32(request + 8, (uint32_t)input_bytes);
    return call(verb, command);
}
