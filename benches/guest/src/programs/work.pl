# Hashes, regular expressions, sorting, strings and arithmetic.
use strict;
use warnings;

my $x = 1;
sub draw { $x = ($x * 1103515245 + 12345) % 2147483648; return ($x >> 8) % $_[0] }

my (%count, @lines);
for my $i (1 .. 40000) {
    push @lines, join ' ', map { chr(97 + draw(26)) x (1 + draw(3)) . draw(50) } 1 .. 5;
}
for my $line (@lines) {
    $count{$1} += length $2 while $line =~ /([a-m]+)(\d+)/g;
    (my $copy = $line) =~ s/(\w)\1+/<$1>/g;
    $count{$copy =~ tr/<//}++;
}
for my $key (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count) {
    print "$key $count{$key}\n";
}
my @sorted = sort @lines;
print "$sorted[0]\n$sorted[-1]\n";
