# Reads and writes a file of Debian's disk: in order by 1 MiB, and at random places by 4 KiB. Started by systemd once the
# system is up; prints the lines that xtask/src/bench/sample.rs reads. The file and the places are the same everywhere.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_WRONLY O_CREAT O_DSYNC);
use IO::Handle;

my ($file, $mib, $accesses) = ('/root/disk-bench', 64, 2000);
my $megabyte = join '', map { pack 'N', $_ * 2654435761 % 4294967296 } 1 .. 262144;

open my $out, '>', '/dev/ttyS0' or die "guest-bench: ttyS0: $!\n";
$out->autoflush(1);
sleep 5;
measure('write', sub { whole(O_WRONLY | O_CREAT) });
measure('read', sub { whole(O_RDONLY) });
measure('random-write', sub { scattered(O_WRONLY | O_DSYNC) });
measure('random-read', sub { scattered(O_RDONLY) });
print $out "\nDISK-DONE\n";

sub measure {
    my ($name, $work) = @_;
    system 'sync';
    open my $drop, '>', '/proc/sys/vm/drop_caches' or die "drop_caches: $!\n";
    print $drop "3\n";
    close $drop;
    print $out "\nbench disk-$name begin\n";
    my $start = uptime();
    my $checksum = eval { $work->() };
    print $out "\nguest-bench: disk-$name: $@" if $@;
    my $nanoseconds = int((uptime() - $start) * 1e9);
    print $out "bench disk-$name done\nbench disk-$name end 1 $nanoseconds $checksum\n";
}

sub uptime {
    open my $file, '<', '/proc/uptime' or die "/proc/uptime: $!\n";
    return (split ' ', <$file>)[0];
}

sub whole {
    my ($flags) = @_;
    sysopen my $handle, $file, $flags or die "$file: $!\n";
    my $sum = 0;
    for (1 .. $mib) {
        $sum = ($sum + transfer($handle, $flags, length $megabyte)) % 4294967296;
    }
    $handle->sync or die "$file: $!\n" if $flags & O_WRONLY;
    return $sum;
}

sub scattered {
    my ($flags) = @_;
    sysopen my $handle, $file, $flags or die "$file: $!\n";
    my ($sum, $place) = (0, 1);
    for (1 .. $accesses) {
        # The step and the number of blocks have no common factor but 1: no block comes twice.
        $place = ($place + 9973) % ($mib * 256);
        defined sysseek $handle, $place * 4096, 0 or die "$file: $!\n";
        $sum = ($sum + transfer($handle, $flags, 4096)) % 4294967296;
    }
    return $sum;
}

# Moves so many bytes and returns their sum.
sub transfer {
    my ($handle, $flags, $bytes) = @_;
    my $data = substr $megabyte, 0, $bytes;
    my $moved = $flags & O_WRONLY ? syswrite $handle, $data : sysread $handle, $data, $bytes;
    die "$file: moved $moved of $bytes bytes: $!\n" if $moved != $bytes;
    return unpack '%32C*', $data;
}
